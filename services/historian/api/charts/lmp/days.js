"use strict";
// A day against another, by the hours since midnight: 23 or 25 in all where clocks change.
async function showDays(signal) {
  const told = asked();
  const node = told.nodes[0];
  const days = [];
  for (const day of [told.start, told.end]) days.push(await pricesOfDay(node, day, told, signal));
  const hours = Math.max(...days.map(({ from, to }) => (to - from) / 3600));
  const options = { lines: days.map((one) => dayLine(one, told.component)), zone: null, xLabel: "Hours since midnight in California", whole: [0, hours] };
  draw(options, () => daysTable(days, told.component, shownRange([0, hours])), `days-${node}-${told.start}-${told.end}`);
  tellDays(days, node, told);
}

async function pricesOfDay(node, day, told, signal) {
  const [from, to] = rangeOf({ start: day, end: day });
  return { day, from, to, rows: await pricesOf(node, from, to, resolutionFor(told.resolution, DAY_S), signal) };
}

function dayLine({ day, from, rows }, component) {
  return { label: day, line: stepped(rows, value(component)).map(([x, y]) => [(x - from) / 3600, y]), isStepped: true };
}

function daysTable(days, component, [min, max]) {
  const hours = new Map();
  days.forEach(({ from, rows }, place) => {
    for (const row of rows) {
      const at = (seconds(row.interval_start) - from) / 3600;
      if (at >= min && at < max) hours.set(at, Object.assign(hours.get(at) ?? [null, null], { [place]: value(component)(row) ?? null }));
    }
  });
  const rows = [...hours].sort(([a], [b]) => a - b).map(([at, both]) => [Number(at.toFixed(4)), ...both]);
  return { columns: ["hours_since_midnight", ...days.map(({ day }) => `${component}_usd_per_mwh ${day}`)], rows };
}

function tellDays(days, node, { component, market, zone }) {
  const [one, other] = days.map(({ day }) => day);
  tellNotes([
    zoneNote(zone),
    { text: `${COMPONENTS[component]} of ${node}, ${one} against ${other}. A day has 23 or 25 hours where clocks change.` },
    ...days.map(({ day, from, to, rows }) => missingNote(missing(rows, from, dueUntil(from, to, market), value(component)), zone, day)),
  ]);
}
