"use strict";
// What is shown now: a chart or a month, its table, and what is told beside it.
let shown = { chart: null, table: () => ({ columns: [], rows: [] }), whole: [0, 1], name: "prices" };

function draw(options, table, name) {
  begin(false);
  shown = { table, name, whole: options.whole, chart: null };
  shown.chart = new Chart(element("chart"), { ...options, unit: UNIT, zoomed: () => shown.chart && showTable(shown.table()) });
  showTable(shown.table());
}

// Makes room for the next: a chart has buttons to zoom it, a month has none.
function begin(isMonth) {
  shown.chart?.end();
  element("heat").replaceChildren();
  element("chart").hidden = element("zooming").hidden = isMonth;
}

// The stretch that was chosen, or all of it.
const shownRange = (whole) => shown.chart?.range ?? whole;
const rowsWithin = (rows, [min, max]) => rows.filter((row) => seconds(row.interval_end) > min && seconds(row.interval_start) < max);

function tableOf(rows) {
  const columns = rows.length ? Object.keys(rows[0]) : ["interval_start", "interval_end", "node", "market", "lmp_usd_per_mwh"];
  return { columns, rows: rows.map((row) => columns.map((name) => row[name])) };
}

function tellRange(rows, nodes, from, to, { market, zone }, more) {
  const until = dueUntil(from, to, market);
  const partly = rows.filter((row) => row.covered_s < row.length_s).length;
  tellNotes([
    more,
    zoneNote(zone),
    ageNote(rows, to, market, zone),
    ...nodes.map((node) => missingNote(missing(ofNode(rows, node), from, until, value("lmp")), zone, node)),
    partly && { text: `${partly} means are of a part of their time only (covered_s below length_s).`, abnormal: true },
  ]);
}

function zoneNote(zone) {
  const named = zone === "UTC" ? "UTC" : "Pacific (California's, with daylight saving)";
  return { text: `Times are ${named}; days are trade dates, midnight to midnight in California.` };
}

function ageNote(rows, to, market, zone) {
  const told = rows.filter((row) => row.lmp_usd_per_mwh !== null && row.lmp_usd_per_mwh !== undefined);
  if (!told.length) return { text: "There is no price in this range.", abnormal: true };
  const until = latest(told, "interval_end");
  const isOld = to > nowSeconds() && until < nowSeconds() - LATE_S[market];
  const text = `The last price is of the interval until ${said(until, zone)}; ${heard(latest(told, "fetched_at"))}.`;
  return isOld ? { text: `Old data. ${text}`, abnormal: true } : { text };
}

const latest = (rows, name) => rows.reduce((last, row) => Math.max(last, row[name] === null ? -Infinity : seconds(row[name])), -Infinity);

function heard(fetched) {
  if (fetched > 0) return `OASIS gave the last ${age(nowSeconds() - fetched)} ago`;
  return "all came out of files, which do not say when OASIS gave them";
}
