// A dialogue that shows what will be sent before it is, sends it once, and says what became of it.
import { button, make, say } from "./showing.js";

const DONE = ["taken", "dry-run"];

// asked: { title, facts: [[name, text]], fields: elements, content(): what is sent, lines(content): [[name, text]] of it, path, act }.
// content() returns a text where something is missing: nothing can be sent then.
export function openDialog(asked, csrf) {
  const sent = make("dl", { class: "sent" });
  const said = make("p", { role: "status", class: "outcome" });
  const send = make("button", { class: "send" }, asked.act);
  const leave = button("Cancel", () => dialog.close());
  const fields = make("fieldset", {}, ...asked.fields);
  const form = make("form", {}, make("h2", { id: "dialog-title" }, asked.title), terms(make("dl"), asked.facts), fields,
    make("h3", {}, "What will be sent"), sent, said, make("div", { class: "tools" }, send, leave));
  const dialog = make("dialog", { "aria-labelledby": "dialog-title" }, form);
  const show = () => {
    const content = asked.content();
    const isMissing = typeof content === "string";
    terms(sent, isMissing ? [["Not yet", content]] : asked.lines(content));
    send.disabled = isMissing;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const content = asked.content();
    if (typeof content === "string") return;
    fields.disabled = send.disabled = true;
    say(said, "Sent. Waiting for the reply…");
    const outcome = await post(asked.path, content, csrf);
    const isDone = DONE.includes(outcome.outcome);
    said.dataset.level = isDone ? "good" : "bad";
    say(said, `${isDone ? "✓" : "▲"} ${outcome.outcome}: ${outcome.detail}`);
    say(leave, "Close");
    leave.focus();
  });
  dialog.addEventListener("close", () => dialog.remove());
  show();
  document.body.append(dialog);
  dialog.showModal();
}

function terms(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  return list;
}

export async function post(path, content, csrf) {
  const answer = await fetch(path, { method: "POST", headers: { "X-CSRF-Token": csrf }, body: JSON.stringify(content) }).catch(() => null);
  if (answer?.ok) return answer.json();
  if (answer) return { outcome: "not sent", detail: await answer.text() };
  return { outcome: "no reply", detail: "the console did not answer: it may have been sent; what is shown here will tell" };
}

export const field = (label, control) => make("label", {}, make("span", { class: "label" }, label), control);
