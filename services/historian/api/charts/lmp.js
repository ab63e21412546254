"use strict";
const COMPONENTS = { lmp: "LMP", energy: "Energy", congestion: "Congestion", loss: "Loss", ghg: "Greenhouse gas" };
const UNIT = "USD/MWh";
// A price is there when its interval is over at the latest, and a little later.
const LATE_S = { RTM: 900, RTPD: 1800, HASP: 5400, DAM: 0, RUC: 0 };
const form = element("ask");
let shown = { chart: null, table: () => ({ columns: [], rows: [] }), whole: [0, 1], name: "prices" };

const value = (component) => (row) => row[`${component}_usd_per_mwh`];
const nodesOf = (text) => [...new Set(text.split(/[\s,;]+/).filter(Boolean))].slice(0, 5);

function resolutionFor(asked, span) {
  if (asked !== "auto") return asked;
  return span <= 8 * DAY_S ? "raw" : span <= 100 * DAY_S ? "hour" : "day";
}

function pricesOf(nodes, from, to, resolution, signal) {
  const { market, zone } = asked();
  return allRows("/v1/prices", { node: nodes, market, start: instant(from), end: instant(to), resolution, tz: zone }, signal);
}

const asked = () => {
  const told = Object.fromEntries(new FormData(form));
  return { ...told, nodes: nodesOf(told.node), component: told.component || "lmp" };
};

function draw(options, table, name) {
  shown.chart?.end();
  element("heat").replaceChildren();
  element("chart").hidden = false;
  element("zooming").hidden = false;
  shown = { table, name, whole: options.whole, chart: null };
  shown.chart = new Chart(element("chart"), { ...options, unit: UNIT, zoomed: () => shown.chart && showTable(shown.table()) });
  showTable(shown.table());
}

const rowsWithin = (rows, [min, max]) => rows.filter((row) => seconds(row.interval_end) > min && seconds(row.interval_start) < max);
const tableOf = (rows) => {
  const columns = rows.length ? Object.keys(rows[0]) : ["interval_start", "interval_end", "node", "market", "lmp_usd_per_mwh"];
  return { columns, rows: rows.map((row) => columns.map((name) => row[name])) };
};

function ageNote(rows, to, market, zone) {
  const told = rows.filter((row) => row.lmp_usd_per_mwh !== null && row.lmp_usd_per_mwh !== undefined);
  if (!told.length) return { text: "There is no price in this range.", abnormal: true };
  const [until, fetched] = [Math.max(...told.map((row) => seconds(row.interval_end))), Math.max(...told.map((row) => seconds(row.fetched_at)))];
  const isOld = to > nowSeconds() && until < nowSeconds() - LATE_S[market];
  const text = `The last price is of the interval until ${said(until, zone)}; OASIS gave it ${age(nowSeconds() - fetched)} ago.`;
  return isOld ? { text: `Old data. ${text}`, abnormal: true } : { text };
}

const zoneNote = (zone) => ({ text: `Times are ${zone === "UTC" ? "UTC" : "Pacific (California's, with daylight saving)"}; days are trade dates, midnight to midnight in California.` });

function tellRange(rows, nodes, from, to, { market, zone }, more) {
  const until = Math.min(to, Math.max(from, nowSeconds() - LATE_S[market]));
  const partly = rows.filter((row) => row.covered_s < row.length_s).length;
  tellNotes([more, zoneNote(zone), ageNote(rows, to, market, zone),
    ...nodes.map((node) => missingNote(missing(rows.filter((row) => row.node === node), from, until, value("lmp")), zone, node)),
    partly && { text: `${partly} means are of a part of their time only (covered_s below length_s).`, abnormal: true }]);
}

async function showRange(signal) {
  const told = asked();
  const [from, to] = [midnight(told.start), midnight(dayAfter(told.end))];
  const rows = await pricesOf(told.nodes, from, to, resolutionFor(told.resolution, to - from), signal);
  const single = told.nodes.length === 1;
  const lines = single
    ? Object.entries(COMPONENTS).map(([name, label]) => ({ label, line: stepped(rows, value(name)), isStepped: true, show: name !== "ghg" || rows.some((row) => row.ghg_usd_per_mwh) }))
    : told.nodes.map((node) => ({ label: node, line: stepped(rows.filter((row) => row.node === node), value(told.component)), isStepped: true }));
  draw({ lines, zone: told.zone, whole: [from, to] }, () => tableOf(rowsWithin(rows, shown.chart?.range ?? [from, to])), `prices-${told.nodes[0]}-${told.start}`);
  tellRange(rows, told.nodes, from, to, told);
}

async function showDays(signal) {
  const told = asked();
  const days = [told.start, told.end];
  const node = told.nodes[0];
  const lines = [];
  const everything = [];
  for (const day of days) {
    const from = midnight(day);
    const rows = await pricesOf(node, from, midnight(dayAfter(day)), resolutionFor(told.resolution, DAY_S), signal);
    everything.push({ day, from, rows });
    lines.push({ label: day, line: stepped(rows, value(told.component)).map(([x, y]) => [(x - from) / 3600, y]), isStepped: true });
  }
  const hours = Math.max(...days.map((day) => (midnight(dayAfter(day)) - midnight(day)) / 3600));
  draw({ lines, zone: null, xLabel: "Hours since midnight in California", whole: [0, hours] }, () => daysTable(everything, told.component, shown.chart?.range ?? [0, hours]), `days-${node}-${days.join("-")}`);
  tellNotes([zoneNote(told.zone), { text: `${COMPONENTS[told.component]} of ${node}, ${days[0]} against ${days[1]}. A day has 23 or 25 hours where clocks change.` },
    ...everything.map(({ day, from, rows }) => missingNote(missing(rows, from, Math.min(midnight(dayAfter(day)), Math.max(from, nowSeconds() - LATE_S[told.market])), value(told.component)), told.zone, day))]);
}

function daysTable(everything, component, [min, max]) {
  const hours = new Map();
  everything.forEach(({ from, rows }, place) => {
    for (const row of rows) {
      const at = (seconds(row.interval_start) - from) / 3600;
      if (at >= min && at < max) hours.set(at, Object.assign(hours.get(at) ?? [null, null], { [place]: value(component)(row) ?? null }));
    }
  });
  const rows = [...hours].sort(([a], [b]) => a - b).map(([at, both]) => [Number(at.toFixed(4)), ...both]);
  return { columns: ["hours_since_midnight", ...everything.map(({ day }) => `${component}_usd_per_mwh ${day}`)], rows };
}

async function showDuration(signal) {
  const told = asked();
  const [from, to] = [midnight(told.start), midnight(dayAfter(told.end))];
  const rows = await pricesOf(told.nodes, from, to, resolutionFor(told.resolution, to - from), signal);
  const curves = told.nodes.map((node) => ({ node, points: duration(rows.filter((row) => row.node === node), value(told.component)) }));
  const table = () => {
    const [min, max] = shown.chart?.range ?? [0, 100];
    return { columns: ["node", "share_of_time_percent", `${told.component}_usd_per_mwh`],
      rows: curves.flatMap(({ node, points }) => points.filter(([share]) => share >= min && share <= max).map(([share, y]) => [node, Number(share.toFixed(4)), y])) };
  };
  draw({ lines: curves.map(({ node, points }) => ({ label: node, line: points })), zone: null, xLabel: "Share of time, %", whole: [0, 100] }, table, `duration-${told.nodes[0]}-${told.start}`);
  tellRange(rows, told.nodes, from, to, told, { text: "Duration: for which share of the time that has prices the price was at least so high." });
}

// Prices from the highest down, each as long as its interval is (of a mean, as long as it has prices).
function duration(rows, of) {
  const priced = rows.filter((row) => (of(row) ?? null) !== null).map((row) => [of(row), row.covered_s ?? seconds(row.interval_end) - seconds(row.interval_start)]);
  priced.sort(([a], [b]) => b - a);
  const whole = priced.reduce((sum, [, length]) => sum + length, 0);
  let sum = 0;
  return priced.map(([y, length]) => [((sum += length) / whole) * 100, y]);
}

async function showHeat(signal) {
  const told = asked();
  const node = told.nodes[0];
  const first = `${told.start.slice(0, 7)}-01`;
  const last = dayAfter(first, 31).slice(0, 7) === told.start.slice(0, 7) ? dayAfter(first, 30) : dayAfter(`${dayAfter(first, 31).slice(0, 7)}-01`, -1);
  const [from, to] = [midnight(first), midnight(dayAfter(last))];
  const rows = await pricesOf(node, from, to, "hour", signal);
  shown.chart?.end();
  shown = { chart: null, whole: [from, to], table: () => tableOf(rows), name: `month-${node}-${first.slice(0, 7)}` };
  element("chart").hidden = true;
  element("zooming").hidden = true;
  heatMap(rows, first, last, told.component);
  showTable(shown.table());
  tellRange(rows, [node], from, to, told);
}

// A day has a row, an hour of California's clock a column; one that is there twice has a second column.
function heatMap(rows, first, last, component) {
  const cells = new Map(rows.map((row) => [seconds(row.interval_start), value(component)(row) ?? null]));
  const sorted = [...cells.values()].filter((one) => one !== null).sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const limits = [0.2, 0.4, 0.6, 0.8].map(at);
  const days = [];
  for (let day = first; day <= last; day = dayAfter(day)) days.push({ day, hours: hoursOf(day) });
  const columns = [...new Set(days.flatMap(({ hours }) => [...hours.keys()]))].sort();
  const host = element("heat");
  host.replaceChildren();
  make("h2", `${COMPONENTS[component]}, ${UNIT}, by trade date and hour that begins (Pacific)`, host);
  make("p", "Bold: the highest 2 %. Italic: below zero. Hatched: no price. \u00d7: the hour does not exist that day; +: it is there once more.", host, { class: "busy" });
  const table = make("table", "", make("div", "", host, { class: "scroll", tabindex: "0" }), { class: "heat" });
  const head = make("tr", "", make("thead", "", table));
  for (const name of ["", ...columns]) make("th", name, head, { scope: "col" });
  const body = make("tbody", "", table);
  for (const { day, hours } of days) {
    const line = make("tr", "", body);
    make("th", day.slice(5), line, { scope: "row" });
    for (const name of columns) heatCell(line, hours.get(name), cells, limits, at(0.98), `${day} ${name}`);
  }
}

function hoursOf(day) {
  const hours = new Map();
  for (let at = midnight(day); at < midnight(dayAfter(day)); at += 3600) {
    const name = wall(at, "Pacific").time.slice(0, 2);
    hours.set(hours.has(name) ? `${name}+` : name, at);
  }
  return hours;
}

function heatCell(line, at, cells, limits, spike, when) {
  if (at === undefined) return make("td", when.endsWith("+") ? "" : "\u00d7", line, { class: "none" });
  const one = cells.get(at) ?? null;
  if (one === null) return make("td", "", line, { class: "missing", title: `${when}: no price`, "aria-label": "no price" });
  const kind = one < 0 ? "negative" : one > spike ? "spike" : `h${limits.filter((limit) => one > limit).length}`;
  return make("td", Math.abs(one) < 1000 ? one.toFixed(0) : `${(one / 1000).toFixed(1)}k`, line, { class: kind, title: `${when}: ${one.toFixed(2)} ${UNIT}` });
}

const VIEWS = { range: showRange, days: showDays, duration: showDuration, heat: showHeat };
const LABELS = { range: ["From", "To, and with it"], days: ["Day", "Other day"], duration: ["From", "To, and with it"], heat: ["A day of the month", ""] };

function show() {
  const { view, nodes } = asked();
  element("start-label").firstChild.textContent = LABELS[view][0];
  element("end-label").firstChild.textContent = LABELS[view][1];
  element("end-label").hidden = element("resolution-label").hidden = view === "heat";
  element("component-label").hidden = view === "range" && nodes.length === 1;
  writeAddress(form);
  if (!nodes.length) return;
  showing(VIEWS[view]);
}

async function suggestNodes() {
  const text = nodesOf(form.elements.node.value).at(-1) ?? "";
  if (text.length < 2) return;
  const told = await ask("/v1/nodes", { name: text, limit: 50 }).catch(() => ({ rows: [] }));
  element("nodes").replaceChildren();
  for (const { node } of told.rows) make("option", "", element("nodes"), { value: node });
}

form.elements.start.value = form.elements.end.value = today();
readAddress(form);
form.onsubmit = (event) => { event.preventDefault(); show(); };
form.onchange = (event) => event.target.name !== "node" && show();
form.elements.node.oninput = () => suggestNodes();
zoomButtons(() => (shown.chart ? [shown.chart] : []), () => shown.whole);
element("csv").onclick = () => saveCsv(shown.table(), shown.name);
element("as-table").onclick = (event) => {
  element("table").hidden = !element("table").hidden;
  event.target.setAttribute("aria-pressed", String(!element("table").hidden));
  showTable(shown.table());
};
show();
