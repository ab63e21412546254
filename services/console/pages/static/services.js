// Services with what to do about each, gaps, instructions, and the list of what is not normal.
import { byId, clockTime, dateTime, make, number, partsOf, signed, span } from "./showing.js";

// On a phone each cell stands below the other, and says what of.
export function rows(columns, lines, caption) {
  for (const line of lines) for (const [place, one] of [...line.children].entries()) one.dataset.of = columns[place];
  const head = make("tr", {}, ...columns.map((one) => make("th", { scope: "col" }, one)));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${caption}, as a table` }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
}

// All but the title of a section. Whoever reads or is about to press something there goes on.
export function replace(section, ...inside) {
  const active = document.activeElement;
  const before = section.querySelector(".scroll");
  const at = before && [before.scrollLeft, before.scrollTop];
  for (const child of [...section.children]) if (child.tagName !== "H2") child.remove();
  section.append(...inside);
  const table = section.querySelector(".scroll");
  if (at) table?.scrollTo(...at);
  const focused = active === before ? table : active;
  if (focused && focused !== document.activeElement && section.contains(focused)) focused.focus({ preventScroll: true });
}

export const cell = (text, level) => make("td", level && level !== "good" ? { "data-level": level } : {}, text);

export function showServices(parts) {
  const lines = partsOf(parts, "service").map(([, one]) => make("tr", {},
    make("th", { scope: "row" }, one.source),
    cell(signed(one.level, one.state), one.level),
    make("td", {}, ...one.upstreams.map((each) => make("div", each.is_ok ? {} : { "data-level": "uncertain" }, `${each.is_ok ? "" : "◇ "}${each.name} ${each.words}`))),
    cell(one.unpublished ?? ""),
    cell(one.certificate_days === null ? "" : `${Math.floor(one.certificate_days)} days`),
    make("td", { class: "long" }, one.words === "good" ? "" : one.words, ...one.do.map((act) => make("div", { class: "do" }, `→ ${act}`))),
  ));
  replace(byId("services"), lines.length ? rows(["Service", "State", "Hears", "Events waiting", "Certificate", "What is wrong, and what to do"], lines, "Services") : make("p", {}, "No service was heard yet."));
}

export function showGaps(parts) {
  const gaps = parts.gaps?.gaps ?? [];
  byId("gaps").hidden = gaps.length === 0;
  const lines = gaps.map((one) => make("tr", {}, make("th", { scope: "row" }, one.upstream), cell(dateTime(one.start)), cell(dateTime(one.end)), make("td", { class: "long" }, one.words)));
  replace(byId("gaps"), rows(["Of", "From", "Until", "What is missing and cannot be had any more"], lines, "Gaps"));
}

function left(one, now) {
  if (!one.is_open) return "";
  return one.open_until === null ? "open" : `${span(one.open_until - now)} left, until ${clockTime(one.open_until)}`;
}

// act: (part, instruction) to an element beside an open instruction, or null. Returns whether the list says for how long something is open.
export function showInstructions(parts, now, act) {
  const found = partsOf(parts, "resource").flatMap(([, part]) => part.instructions.map((one) => [part, one]));
  found.sort(([, one], [, other]) => Number(other.is_open) - Number(one.is_open) || one.start - other.start);
  byId("instructions").hidden = found.length === 0;
  const lines = found.map(([part, one]) => make("tr", one.is_open ? { class: "open" } : {},
    make("th", { scope: "row" }, part.resource), cell(one.what), cell(one.mw === null ? "" : `${number(one.mw, 1)} MW`),
    cell(`${dateTime(one.start)}${one.end === null ? "" : ` – ${clockTime(one.end)}`}`),
    cell(signed(one.level, one.standing), one.level), cell(one.answer ?? ""), cell(left(one, now)), cell(act?.(part, one) ?? ""),
  ));
  replace(byId("instructions"), rows(["Resource", "What", "Instructed", "When", "Standing", "Answer", "Time to answer", "Action"], lines, "Instructions"));
  return found.some(([, one]) => one.is_open);
}

// One cause is told once: what follows from a service that is gone is told with it.
export function showAbnormal(parts) {
  const lines = new Map();
  const note = (level, text, who) => {
    const key = `${level} ${text}`;
    if (!lines.has(key)) lines.set(key, { level, text, who: [] });
    lines.get(key).who.push(who);
  };
  if (parts.console && !parts.console.hears_broker) note("bad", "the console does not hear the broker", "Console");
  for (const [key, part] of Object.entries(parts)) {
    if (key.startsWith("service/") && part.level !== "good") note(part.level, part.words, part.source);
    if (key.startsWith("resource/") && part.level !== "good" && part.is_configured) note(part.level, part.words, part.resource);
  }
  const host = byId("abnormal");
  const items = [...lines.values()].sort((one, other) => (one.level === other.level ? 0 : one.level === "bad" ? -1 : 1));
  host.replaceChildren(...(items.length
    ? [make("ul", {}, ...items.map((one) => make("li", { "data-level": one.level }, signed(one.level, `${one.who.join(", ")}: ${one.text}`))))]
    : partsOf(parts, "alarm").some(([, one]) => one.level !== "good") ? [] : [make("p", { class: "normal" }, "Everything is normal.")]));
}
