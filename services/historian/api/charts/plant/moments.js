"use strict";
// Moments: a line through them, the stretches of doubt, and the table.
const GOOD = 192;
const UNCERTAIN = 64;
const MOMENT_COLUMNS = ["time", "set_point_mw", "quality", "reasons", "dot_mw", "dot_quality", "trajectory_mw", "trajectory_quality", "lmp_usd_per_mwh"];

// A line through moments; where the value is in doubt there is none.
function through(rows, name) {
  const line = rows.map((row) => [seconds(row.time), row[name] ?? null]);
  return line.length ? [...line, [line.at(-1)[0] + EDGE_S, null]] : line;
}

// Stretches in which the set-point was not good, each with its reasons.
function doubts(rows, step_s) {
  const found = [];
  for (const row of rows) {
    if (row.quality === GOOD) continue;
    const [from, why] = [seconds(row.time), (row.reasons ?? []).join(", ")];
    const last = found.at(-1);
    const isBad = row.quality < UNCERTAIN;
    if (last && last.to === from && last.isBad === isBad && last.why === why) last.to = from + step_s;
    else found.push({ from, to: from + step_s, isBad, why });
  }
  return found;
}

function momentsTable({ setPoints, trajectory, prices }, [min, max]) {
  const curve = new Map(trajectory.map((row) => [row.time, row]));
  const priceAt = priceFinder(prices);
  const rows = [];
  for (const row of setPoints) {
    const [at, point] = [seconds(row.time), curve.get(row.time)];
    const price = priceAt(at);
    if (at >= min && at <= max) rows.push([row.time, row.set_point_mw, row.quality, row.reasons, row.dot_mw, row.dot_quality, point?.trajectory_mw, point?.quality, price]);
  }
  return { columns: MOMENT_COLUMNS, rows };
}

// The price of a moment, for moments that come one after the other.
function priceFinder(prices) {
  let place = 0;
  return (at) => {
    while (place < prices.length && seconds(prices[place].interval_end) <= at) place += 1;
    return prices[place] && seconds(prices[place].interval_start) <= at ? prices[place].lmp_usd_per_mwh : null;
  };
}
