"use strict";
// A range of time: a node by the components of its price, or several nodes by one component.
async function showRange(signal) {
  const told = asked();
  const [from, to] = rangeOf(told);
  const rows = await pricesOf(told.nodes, from, to, resolutionFor(told.resolution, to - from), signal);
  const lines = told.nodes.length === 1 ? componentLines(rows) : nodeLines(rows, told);
  const table = () => tableOf(rowsWithin(rows, shownRange([from, to])));
  draw({ lines, zone: told.zone, whole: [from, to] }, table, `prices-${told.nodes[0]}-${told.start}`);
  tellRange(rows, told.nodes, from, to, told);
}

function componentLines(rows) {
  const isShown = (name) => name !== "ghg" || rows.some((row) => row.ghg_usd_per_mwh);
  return Object.entries(COMPONENTS).map(([name, label]) => ({ label, line: stepped(rows, value(name)), isStepped: true, show: isShown(name) }));
}

function nodeLines(rows, { nodes, component }) {
  return nodes.map((node) => ({ label: node, line: stepped(ofNode(rows, node), value(component)), isStepped: true }));
}
