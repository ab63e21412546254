"use strict";
// A duration curve: for which share of the time the price was at least so high.
async function showDuration(signal) {
  const told = asked();
  const [from, to] = rangeOf(told);
  const rows = await pricesOf(told.nodes, from, to, resolutionFor(told.resolution, to - from), signal);
  const curves = told.nodes.map((node) => ({ node, points: duration(ofNode(rows, node), value(told.component)) }));
  const lines = curves.map(({ node, points }) => ({ label: node, line: points }));
  const table = () => durationTable(curves, told.component, shownRange([0, 100]));
  draw({ lines, zone: null, xLabel: "Share of time, %", whole: [0, 100] }, table, `duration-${told.nodes[0]}-${told.start}`);
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

function durationTable(curves, component, [min, max]) {
  const within = (points) => points.filter(([share]) => share >= min && share <= max);
  const rows = curves.flatMap(({ node, points }) => within(points).map(([share, y]) => [node, Number(share.toFixed(4)), y]));
  return { columns: ["node", "share_of_time_percent", `${component}_usd_per_mwh`], rows };
}
