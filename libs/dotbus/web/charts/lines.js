"use strict";
// Lines: rows of intervals as points that a chart draws, in which what is absent stays a gap.
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

// Lines of several times as uPlot wants them. Where a line has no point of its own a step goes on, and a gap does; only between two
// values there is nothing to say (undefined). Beside a gap, uPlot would draw a line from there towards the next value.
function aligned(lines) {
  const xs = [...new Set(lines.flatMap(({ line }) => line.map(([x]) => x)))].sort((a, b) => a - b);
  return [xs, ...lines.map(({ line, isStepped }) => filled(xs, new Map(line), isStepped))];
}

function filled(xs, said, isStepped) {
  const ys = new Array(xs.length);
  let next = null;
  for (let place = xs.length - 1; place >= 0; place -= 1) {
    if (said.has(xs[place])) next = said.get(xs[place]);
    ys[place] = said.has(xs[place]) ? next : next === null ? null : undefined;
  }
  let last = null;
  return ys.map((y, place) => {
    if (said.has(xs[place])) return (last = y);
    return isStepped || last === null ? last : y;
  });
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
