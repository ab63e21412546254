"use strict";
// A month by hour. A day has a row, an hour of California's clock a column; one that is there twice has a second column.
async function showMonth(signal) {
  const told = asked();
  const node = told.nodes[0];
  const [first, last] = monthOf(told.start);
  const [from, to] = rangeOf({ start: first, end: last });
  const rows = await pricesOf(node, from, to, "hour", signal);
  begin(true);
  shown = { chart: null, whole: [from, to], table: () => tableOf(rows), name: `month-${node}-${first.slice(0, 7)}` };
  drawMonth(rows, first, last, told.component);
  showTable(shown.table());
  tellRange(rows, [node], from, to, told);
}

function monthOf(day) {
  const first = `${day.slice(0, 7)}-01`;
  const inNext = dayAfter(first, 31);
  const last = inNext.slice(0, 7) === day.slice(0, 7) ? dayAfter(first, 30) : dayAfter(`${inNext.slice(0, 7)}-01`, -1);
  return [first, last];
}

function drawMonth(rows, first, last, component) {
  const cells = new Map(rows.map((row) => [seconds(row.interval_start), value(component)(row) ?? null]));
  const days = [];
  for (let day = first; day <= last; day = dayAfter(day)) days.push({ day, hours: hoursOf(day) });
  const limits = limitsOf(cells);
  const columns = [...new Set(days.flatMap(({ hours }) => [...hours.keys()]))].sort();
  const host = element("heat");
  make("h2", `${COMPONENTS[component]}, ${UNIT}, by trade date and hour that begins (Pacific)`, host);
  make("p", "Bold: the highest 2 %. Italic: below zero. Hatched: no price. \u00d7: the hour does not exist that day; +: it is there once more.", host, { class: "busy" });
  const table = make("table", "", make("div", "", host, { class: "scroll", tabindex: "0" }), { class: "heat" });
  const head = make("tr", "", make("thead", "", table));
  for (const name of ["", ...columns]) make("th", name, head, { scope: "col" });
  const body = make("tbody", "", table);
  for (const one of days) dayRow(body, one, columns, cells, limits);
}

// Above which values each shade begins, and a spike.
function limitsOf(cells) {
  const sorted = [...cells.values()].filter((one) => one !== null).sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { shades: [0.2, 0.4, 0.6, 0.8].map(at), spike: at(0.98) };
}

function hoursOf(day) {
  const hours = new Map();
  for (let at = midnight(day); at < midnight(dayAfter(day)); at += 3600) {
    const name = wall(at, "Pacific").time.slice(0, 2);
    hours.set(hours.has(name) ? `${name}+` : name, at);
  }
  return hours;
}

function dayRow(body, { day, hours }, columns, cells, limits) {
  const line = make("tr", "", body);
  make("th", day.slice(5), line, { scope: "row" });
  for (const name of columns) hourCell(line, hours.get(name), cells, limits, `${day} ${name}`);
}

function hourCell(line, at, cells, { shades, spike }, when) {
  if (at === undefined) return make("td", when.endsWith("+") ? "" : "\u00d7", line, { class: "none" });
  const one = cells.get(at) ?? null;
  if (one === null) return make("td", "", line, { class: "missing", title: `${when}: no price`, "aria-label": "no price" });
  const kind = one < 0 ? "negative" : one > spike ? "spike" : `h${shades.filter((limit) => one > limit).length}`;
  const text = Math.abs(one) < 1000 ? one.toFixed(0) : `${(one / 1000).toFixed(1)}k`;
  return make("td", text, line, { class: kind, title: `${when}: ${one.toFixed(2)} ${UNIT}` });
}
