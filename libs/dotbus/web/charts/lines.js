"use strict";
// Lines: points that a chart draws, in which what is absent stays a gap.

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
