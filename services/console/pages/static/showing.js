// Elements, numbers and times as every part of the page shows them. All text is set as text: nobody's name is markup.
export const byId = (id) => document.getElementById(id);
const SIGNS = { good: "", uncertain: "\u25c7 ", bad: "\u25b2 " }; // a shape beside each colour

export function make(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...inside.filter((one) => one !== null && one !== undefined));
  return made;
}

// Says a text only where it is another: screen readers hear what changes, and nothing flickers.
export function say(element, text) { if (element.textContent !== text) element.textContent = text; }
export function mark(element, name, value) { if (element.getAttribute(name) !== value) element.setAttribute(name, value); }

export const number = (value, digits = 1) => (value === null || value === undefined ? "\u2013" : value.toFixed(digits).replace("-", "\u2212"));
export const signed = (level, words) => `${SIGNS[level] ?? ""}${words}`;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dated = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const clockTime = (at) => (at === null || at === undefined ? "\u2013" : clock.format(new Date(at * 1000)));
export const dateTime = (at) => (at === null || at === undefined ? "\u2013" : dated.format(new Date(at * 1000)));

export function span(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} days`;
}
