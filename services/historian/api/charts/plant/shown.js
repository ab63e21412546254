"use strict";
// What is shown now: power with its bands of doubt, the price below it, and their table.
let shown = { charts: [], whole: [0, 1], table: () => ({ columns: [], rows: [] }), name: "plant" };

// Returns the stretches of doubt.
function draw(told, answer, from, to) {
  for (const chart of shown.charts) chart.end();
  const bands = doubts(answer.setPoints, answer.step_s).filter((band) => band.from < nowSeconds());
  const whole = [from, to];
  const table = () => momentsTable(answer, shown.charts[0]?.range ?? whole);
  shown = { charts: [], whole, table, name: `${plant}-${told.resource.resource_id}-${told.start}` };
  shown.charts = chartsOf(told, answer, bands, { zone: told.zone, whole, sync: "plant", zoomed: follow });
  showTable(shown.table());
  return bands;
}

function chartsOf({ resource }, answer, bands, both) {
  const charts = [new Chart(element("chart"), { ...both, lines: powerLines(answer), unit: "MW", bands })];
  element("second").hidden = !resource.node;
  if (resource.node) charts.push(new Chart(element("second"), { ...both, lines: [priceLine(resource.node, answer.prices)], unit: "USD/MWh", height: 190 }));
  return charts;
}

function powerLines({ dots, setPoints, trajectory }) {
  return [
    { label: "Set-point", line: through(setPoints, "set_point_mw") },
    { label: "DOT", line: stepped(dots, (row) => row.dot_mw), isStepped: true },
    { label: "Trajectory", line: through(trajectory, "trajectory_mw") },
  ];
}

const priceLine = (node, prices) => ({ label: `Price of ${node}`, line: stepped(prices, (row) => row.lmp_usd_per_mwh), isStepped: true });

// Both charts show the same stretch.
function follow(min, max) {
  for (const chart of shown.charts) if (chart.range[0] !== min || chart.range[1] !== max) chart.zoom(min, max);
  if (shown.charts.length) showTable(shown.table());
}
