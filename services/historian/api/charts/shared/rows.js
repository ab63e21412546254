"use strict";
// Rows of intervals as points that a chart draws, and what no row says.
const EDGE_S = 0.001; // a step ends so long before its end: a gap begins there

// Rows of intervals as a line of steps. A gap has an edge on both sides: whoever points into it is shown nothing, and no neighbour.
function stepped(rows, value) {
  const line = [];
  let until = -Infinity;
  rows.forEach((row, place) => {
    const [start, end, y] = [seconds(row.interval_start), seconds(row.interval_end), value(row) ?? null];
    if (start > until) line.push([start - EDGE_S, null]);
    until = end;
    line.push([start, y]);
    if (y !== null) line.push([end - EDGE_S, y]);
    const next = rows[place + 1];
    if (!next || seconds(next.interval_start) > end) line.push([end, null]);
  });
  return line;
}

// What of a range no row says, up to now.
function missing(rows, from, to, value) {
  const found = [];
  const note = (start, end) => {
    const last = found.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else if (end > start) found.push([start, end]);
  };
  let until = from;
  for (const row of rows) {
    const [start, end] = [seconds(row.interval_start), seconds(row.interval_end)];
    note(until, Math.min(start, to));
    if ((value(row) ?? null) === null) note(start, end);
    until = Math.max(until, end);
  }
  note(until, to);
  return found;
}
