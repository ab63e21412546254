"use strict";
// A chart of lines over time, or over a number. Lines differ by dashes, not by colour alone; what is absent stays a gap.
const EDGE_S = 0.001; // a step ends so long before its end: a gap begins there
const STYLES = [["--one", [], "\u2501\u2501"], ["--two", [8, 4], "\u254d\u254d"], ["--three", [2, 3], "\u2508\u2508"], ["--four", [10, 3, 2, 3], "\u2501\u00b7\u2501"], ["--five", [5, 2], "\u254c\u254c"]];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const shownNumber = (value, digits = 2) => (value === null || value === undefined ? "\u2013" : value.toFixed(digits));

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

class Chart {
  constructor(host, options) {
    this.host = host;
    this.options = options; // lines: [{label, line, isStepped}], unit, zone (null: x is a number), xLabel, bands, height, sync
    this.make();
    this.watch = new ResizeObserver(() => this.plot.setSize(this.size()));
    this.watch.observe(host);
    this.theme = matchMedia("(prefers-color-scheme: dark)");
    this.again = () => { const { min, max } = this.plot.scales.x; this.plot.destroy(); this.make(); this.zoom(min, max); };
    this.theme.addEventListener("change", this.again);
  }

  end() {
    this.watch.disconnect();
    this.theme.removeEventListener("change", this.again);
    this.plot.destroy();
  }

  size() {
    const width = Math.max(this.host.clientWidth - 16, 200);
    return { width, height: this.options.height ?? Math.round(Math.min(Math.max(width * 0.42, 240), 440)) };
  }

  make() {
    const { lines, unit, zone, xLabel, bands, sync, whole, zoomed } = this.options;
    this.data = aligned(lines);
    const axis = { stroke: colour("--text"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    this.plot = new uPlot({
      ...this.size(),
      padding: [10, 36, 0, 0],
      scales: { x: { time: Boolean(zone), range: (_plot, min, max) => [min ?? whole[0], max ?? whole[1]] } },
      tzDate: zone ? (at) => uPlot.tzDate(new Date(at * 1000), ZONES[zone]) : undefined,
      axes: [{ ...axis, label: xLabel, labelSize: 22, ...(zone ? { values: (_plot, splits) => ticks(splits, zone), space: 70 } : {}) },
        { ...axis, label: unit, labelSize: 22, size: 58 }],
      series: [{ label: zone ? `Time (${zone})` : xLabel, value: (_plot, x) => (x === null ? "\u2013" : zone ? said(x, zone) : shownNumber(x)) },
        ...lines.map((one, place) => ({ label: `${one.label} ${STYLES[place % 5][2]}`, stroke: colour(STYLES[place % 5][0]), dash: STYLES[place % 5][1], width: 1.75, show: one.show ?? true,
          points: { show: false }, value: (_plot, y) => shownNumber(y) }))],
      cursor: { drag: { x: true, y: false }, ...(sync ? { sync: { key: sync } } : {}) },
      hooks: { drawClear: bands ? [(plot) => drawBands(plot, bands)] : [], setScale: [(plot, name) => name === "x" && zoomed?.(plot.scales.x.min, plot.scales.x.max)] },
    }, this.data, this.host);
    this.zoom(...whole);
  }

  zoom(min, max) { this.plot.setScale("x", { min, max }); }
  get range() { return [this.plot.scales.x.min, this.plot.scales.x.max]; }
}

function ticks(splits, zone) {
  let date = "";
  return splits.map((at) => {
    const one = wall(at, zone);
    const told = one.date === date ? one.time : `${one.time}\n${one.date}`;
    date = one.date;
    return told;
  });
}

// Stretches of doubt behind the lines: hatched one way where uncertain, crossed where bad.
function drawBands(plot, bands) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const band of bands) {
    const [left, right] = [band.from, band.to].map((at) => plot.valToPos(at, "x", true));
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    hatch(ctx, left, Math.max(right, left + 1), bbox, band.isBad);
  }
  ctx.restore();
}

function hatch(ctx, left, right, bbox, isBad) {
  const step = (isBad ? 9 : 13) * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour(isBad ? "--alarm" : "--doubt");
  ctx.globalAlpha = isBad ? 0.3 : 0.5;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  const from = Math.max(left, bbox.left) - bbox.height;
  const to = Math.min(right, bbox.left + bbox.width) + bbox.height;
  for (let x = Math.floor(from / step) * step; x < to; x += step) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
    if (isBad) { ctx.moveTo(x, bbox.top); ctx.lineTo(x + bbox.height, bbox.top + bbox.height); }
  }
  ctx.stroke();
  ctx.restore();
}
