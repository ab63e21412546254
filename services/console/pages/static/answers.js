// Answers to instructions, for whoever may operate.
import { field, openDialog } from "./dialog.js";
import { button, clockTime, dateTime, make, number, options } from "./showing.js";

// Those that a participant gives; CAISO gives 15 and 16 itself (ADS specification, section 6).
const REASONS = { 10: "10 Line down", 11: "11 Economic considerations", 12: "12 Bad bid submitted", 13: "13 Unit derate", 14: "14 No available transmission" };
const ACTIONS = { accept: "Accept all of it", partial: "Accept a part of it", decline: "Decline it" };

// To an element beside an open instruction; one for each, so that it keeps the focus while the list goes on.
export function answering(who) {
  const buttons = new Map();
  return (part, one) => {
    if (!one.is_open) { buttons.delete(one.instruction_uid); return null; }
    if (!buttons.has(one.instruction_uid)) buttons.set(one.instruction_uid, button("Answer…"));
    const made = buttons.get(one.instruction_uid);
    made.onclick = () => openAnswer(part, one, who);
    return made;
  };
}

function openAnswer(part, one, who) {
  const choices = Object.entries(ACTIONS).map(([value, text]) => make("label", { class: "choice" }, make("input", { type: "radio", name: "action", value, required: "" }), ` ${text}`));
  const [least, most] = [Math.min(0, one.mw), Math.max(0, one.mw)];
  const megawatts = make("input", { type: "number", step: "any", min: least, max: most, inputmode: "decimal" });
  const reason = make("select", {}, make("option", { value: "" }, "Choose…"), ...options(REASONS));
  const parts = [field(`How much, ${number(least, 1)} to ${number(most, 1)} MW`, megawatts), field("Why not all of it", reason)];
  openDialog({
    title: `Answer: ${part.resource}`,
    facts: [["Instructed", `${one.what}, ${number(one.mw, 1)} MW`], ["When", `${dateTime(one.start)}${one.end === null ? "" : ` – ${clockTime(one.end)}`}`],
      ["Answer until", one.open_until === null ? "not said" : clockTime(one.open_until)], ["Answered so far", one.answer ?? "none"]],
    fields: [...choices, ...parts],
    content() {
      const action = choices.map((choice) => choice.firstChild).find((input) => input.checked)?.value;
      parts[0].hidden = action !== "partial";
      parts[1].hidden = !action || action === "accept";
      if (!action) return "Choose an answer.";
      const content = { plant: part.plant, resource: part.resource, batch_uid: one.batch_uid, instruction_uid: one.instruction_uid, action };
      if (action === "accept") return { ...content, accept_dot_mw: one.mw }; // what was seen: where it is another by then it is refused
      const mw = megawatts.valueAsNumber;
      if (action === "partial" && !(mw >= least && mw <= most)) return `Say how much, ${number(least, 1)} to ${number(most, 1)} MW.`;
      if (!reason.value) return "Choose a reason.";
      return { ...content, ...(action === "partial" ? { accept_dot_mw: mw } : {}), reason_code: Number(reason.value) };
    },
    lines: (content) => [["To CAISO", content.action], ["Megawatts", content.accept_dot_mw === undefined ? "none" : `${content.accept_dot_mw} MW`],
      ["Reason", REASONS[content.reason_code] ?? "none"], ["Of", content.resource],
      ["Instruction", content.instruction_uid], ["Batch", content.batch_uid], ["By", who.name]],
    path: "/answers", act: "Send to CAISO",
  }, who.csrf);
}
