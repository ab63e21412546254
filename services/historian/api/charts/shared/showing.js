"use strict";
// What is shown beside a chart: notes, the table, its CSV, and the words of the address.
const TABLE_ROWS = 2000;
const element = (id) => document.getElementById(id);

function make(name, text, into, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  into.append(made);
  return made;
}

function tellNotes(notes) {
  const list = element("notes");
  list.replaceChildren();
  for (const { text, abnormal } of notes.filter(Boolean)) {
    make("li", abnormal ? `\u25b2 ${text}` : text, list, abnormal ? { class: "abnormal" } : {});
  }
}

function missingNote(found, zone, what) {
  if (!found.length) return { text: `Nothing of ${what} is missing.` };
  const most = found.slice(0, 4).map(([from, to]) => during(from, to, zone)).join("; ");
  return { text: `Missing of ${what}: ${most}${found.length > 4 ? `; and ${found.length - 4} more stretches` : ""}.`, abnormal: true };
}

// The same table is shown and saved. columns: names; rows: arrays.
function showTable(table) {
  const host = element("table");
  host.replaceChildren();
  if (host.hidden) return;
  if (table.rows.length > TABLE_ROWS) make("p", `The first ${TABLE_ROWS} of ${table.rows.length} rows; the CSV has all.`, host);
  const made = make("table", "", host, { class: "rows" });
  const head = make("tr", "", make("thead", "", made));
  for (const name of table.columns) make("th", name, head, { scope: "col" });
  const body = make("tbody", "", made);
  for (const row of table.rows.slice(0, TABLE_ROWS)) {
    const line = make("tr", "", body);
    for (const value of row) make("td", cell(value), line);
  }
}

const cell = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? value.join("; ") : String(value));

function csvCell(value) {
  const text = cell(value);
  // A spreadsheet would run what begins so; numbers may begin with a minus sign.
  const safe = typeof value === "string" && /^[=+@\t\r-]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const csvOf = (table) => [table.columns, ...table.rows].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";

function saveCsv(table, name) {
  const address = URL.createObjectURL(new Blob([csvOf(table)], { type: "text/csv" }));
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: `${name.replaceAll(/[^A-Za-z0-9_-]+/g, "-")}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// The address has what was asked for, without the key: it can be kept and sent.
function readAddress(form) {
  for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
}
function writeAddress(form) {
  history.replaceState(null, "", `?${new URLSearchParams(new FormData(form))}`);
}

// Buttons that save what is shown, and that show it as a table.
function tableButtons(shown) {
  element("csv").onclick = () => saveCsv(shown().table(), shown().name);
  element("as-table").onclick = (event) => {
    element("table").hidden = !element("table").hidden;
    event.target.setAttribute("aria-pressed", String(!element("table").hidden));
    showTable(shown().table());
  };
}

// Buttons for who has no mouse: a half, the double, to either side, the whole.
function zoomButtons(charts, whole) {
  const move = (of) => () => {
    const [from, to] = charts()[0]?.range ?? whole();
    for (const chart of charts()) chart.zoom(...of(from, to, to - from));
  };
  element("closer").onclick = move((from, to, span) => [from + span / 4, to - span / 4]);
  element("wider").onclick = move((from, to, span) => clamped(from - span / 2, to + span / 2, whole()));
  element("back").onclick = move((from, to, span) => [from - span / 2, to - span / 2]);
  element("on").onclick = move((from, to, span) => [from + span / 2, to + span / 2]);
  element("all").onclick = move(() => whole());
}
const clamped = (from, to, [first, last]) => [Math.max(from, first), Math.min(to, last)];
