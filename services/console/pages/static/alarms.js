// Alarms by priority, and what whoever may does about them.
import { field, openDialog, post } from "./dialog.js";
import { cell, replace, rows } from "./services.js";
import { button, byId, clockTime, dateTime, make, options, partsOf, say, signed } from "./showing.js";

const PRIORITIES = ["critical", "high", "medium", "low"];
const ASIDE = ["shelved", "suppressed"];
const SHELVE_MIN = { 15: "15 min", 60: "1 h", 240: "4 h", 480: "8 h" };

export class Alarms {
  constructor(who) {
    this.who = who;
    this.tools = new Map(); // the buttons of each raising, so that they keep the focus while the list goes on
  }

  show(parts) {
    const alarms = partsOf(parts, "alarm");
    const rank = (one) => (ASIDE.includes(one.state) ? 10 : 0) + PRIORITIES.indexOf(one.priority) + (one.is_active ? 0 : 0.5);
    alarms.sort(([, one], [, other]) => rank(one) - rank(other) || (other.raised_at ?? "").localeCompare(one.raised_at ?? ""));
    const isWatched = partsOf(parts, "service/alarms").some(([, part]) => part.level !== "bad");
    const lines = alarms.map(([key, one]) => make("tr", one.state.includes("unacknowledged") ? { class: "open" } : {},
      cell(signed(one.level, one.priority), one.level), cell(one.is_active ? one.state : `${one.state} (over)`), make("th", { scope: "row" }, one.about),
      make("td", { class: "long" }, one.text, one.is_active && one.do ? make("div", { class: "do" }, `→ ${one.do}`) : null, notes(one)),
      cell(one.raised_at ? dateTime(Date.parse(one.raised_at) / 1000) : ""), cell(this.toolsOf(key, one))));
    for (const [name, { key }] of this.tools) if (!parts[key]) this.tools.delete(name);
    const came = partsOf(parts, "flood").map(([, one]) => outcome(one.level, one.text));
    byId("alarms").hidden = isWatched && !alarms.length && !came.length;
    replace(byId("alarms"), ...(isWatched ? [] : [outcome("bad", "Nobody watches for alarms: no alarms service is heard.")]), ...came,
      ...(alarms.length ? [rows(["Priority", "State", "About", "What, and what to do", "Raised", "Action"], lines, "Alarms")] : []));
  }

  toolsOf(key, one) {
    if (!this.who.may_operate || (this.who.plant && this.who.plant !== one.plant)) return "";
    const name = `${key} ${one.raised_at} ${one.state}`;
    if (!this.tools.has(name)) {
      const said = make("span", { role: "status" });
      const tool = (text, act) => button(text, act, { "aria-label": `${text} ${one.rule} of ${one.about}` });
      const tools = one.state === "shelved" ? [tool("Unshelve", () => this.say(one, "unshelve", said))]
        : [one.state.includes("unacknowledged") ? tool("Acknowledge", () => this.say(one, "acknowledge", said)) : null, tool("Shelve…", () => this.shelve(one))];
      this.tools.set(name, { key, element: make("div", { class: "tools" }, ...tools, said) });
    }
    return this.tools.get(name).element;
  }

  async say(one, action, said) {
    const outcome = await post("/alarms", deed(one, action), this.who.csrf);
    if (outcome.outcome !== "taken") say(said, `▲ ${outcome.outcome}: ${outcome.detail}`);
  }

  shelve(one) {
    const minutes = make("select", {}, ...options(SHELVE_MIN));
    const comment = make("input", { maxlength: "1000", required: "" });
    openDialog({
      title: `Shelve: ${one.rule}`, facts: [["About", one.about], ["What", one.text], ["Priority", one.priority]],
      fields: [field("For how long", minutes), field("Why, for whoever comes next", comment)],
      content: () => (comment.value.trim() ? { ...deed(one, "shelve"), comment: comment.value.trim(), shelve_min: Number(minutes.value) } : "Say why."),
      lines: (content) => [["Shelve", `for ${SHELVE_MIN[content.shelve_min]}`], ["Because", content.comment], ["By", this.who.name]],
      path: "/alarms", act: "Shelve",
    }, this.who.csrf);
  }
}

const outcome = (level, text) => make("p", { class: "outcome", "data-level": level }, signed(level, text));

const deed = (one, action) => ({ plant: one.plant, about: one.about, rule: one.rule, action, raised_at: one.raised_at });

function notes(one) {
  const said = [one.acknowledged_by && `acknowledged by ${one.acknowledged_by}`, one.shelved_by && `shelved by ${one.shelved_by} until ${clockTime(one.shelved_until)}`,
    one.comment && `“${one.comment}”`, one.because && `told by ${one.because}`].filter(Boolean);
  return said.length ? make("div", { class: "note" }, said.join(", ")) : null;
}
