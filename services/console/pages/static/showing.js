// Elements, numbers and times as every part of the page shows them. All text is set as text: nobody's name is markup.
export const byId = (id) => document.getElementById(id);
export const pageOf = (plant) => `/plants/${encodeURIComponent(plant)}`;
export const partsOf = (parts, kind) => Object.entries(parts).filter(([key]) => key.startsWith(`${kind}/`));
const SIGNS = { good: "", uncertain: "◇ ", bad: "▲ " }; // a shape beside each colour

// A text without what is not seen and turns or breaks the text beside it: somebody's name must not change how a number is read.
const plain = (text) => String(text).replace(/[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, "\ufffd");

export function make(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...inside.filter((one) => one !== null && one !== undefined).map((one) => (one instanceof Node ? one : plain(one))));
  return made;
}

export function button(text, act, attributes) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
}

// Says a text only where it is another: screen readers hear what changes, and nothing flickers.
export function say(element, text) {
  const said = plain(text);
  if (element.textContent !== said) element.textContent = said;
}
export function mark(element, name, value) { if (element.getAttribute(name) !== value) element.setAttribute(name, value); }

export const options = (texts) => Object.entries(texts).map(([value, text]) => make("option", { value }, text));
export const number = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−"));
export const signed = (level, words) => `${SIGNS[level] ?? ""}${words}`;

const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat(undefined, { ...time, second: "2-digit" });
const dated = new Intl.DateTimeFormat(undefined, { ...time, year: "numeric", month: "2-digit", day: "2-digit" });
export const clockTime = (at) => (at === null || at === undefined ? "–" : clock.format(new Date(at * 1000)));
export const dateTime = (at) => (at === null || at === undefined ? "–" : dated.format(new Date(at * 1000)));

export function span(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} days`;
}
