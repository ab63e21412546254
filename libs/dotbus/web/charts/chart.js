"use strict";
// A chart of lines over time, or over a number. Lines differ by dashes, not by colour alone; what is absent stays a gap.
const STYLES = [["--one", [], "━━"], ["--two", [8, 4], "╍╍"], ["--three", [2, 3], "┈┈"], ["--four", [10, 3, 2, 3], "━·━"], ["--five", [5, 2], "╌╌"]];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const shownNumber = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits));

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
    const { lines, whole } = this.options;
    this.data = aligned(lines);
    this.plot = new uPlot({
      ...this.size(),
      padding: [10, 36, 0, 0],
      ...across(this.options),
      axes: axesOf(this.options),
      series: [placeSeries(this.options), ...lines.map(lineSeries)],
      ...followed(this.options),
    }, this.data, this.host);
    this.zoom(...whole);
  }

  zoom(min, max) { this.plot.setScale("x", { min, max }); }
  get range() { return [this.plot.scales.x.min, this.plot.scales.x.max]; }
}

// What lies from left to right: time in a zone, or a number.
function across({ zone, whole }) {
  return {
    scales: { x: { time: Boolean(zone), range: (_plot, min, max) => [min ?? whole[0], max ?? whole[1]] } },
    tzDate: zone ? (at) => uPlot.tzDate(new Date(at * 1000), ZONES[zone]) : undefined,
  };
}

function axesOf({ unit, zone, xLabel }) {
  const axis = { stroke: colour("--text"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, labelSize: 22 };
  const times = zone ? { values: (_plot, splits) => ticks(splits, zone), space: 70 } : {};
  return [{ ...axis, label: xLabel, ...times }, { ...axis, label: unit, size: 58 }];
}

// What the legend says of the place that is pointed at.
function placeSeries({ zone, xLabel }) {
  const named = (x) => (zone ? said(x, zone) : shownNumber(x));
  return { label: zone ? `Time (${zone})` : xLabel, value: (_plot, x) => (x === null ? "–" : named(x)) };
}

function lineSeries({ label, show }, place) {
  const [name, dash, sign] = STYLES[place % STYLES.length];
  return {
    label: `${label} ${sign}`, stroke: colour(name), dash, width: 1.75, show: show ?? true,
    points: { show: false }, value: (_plot, y) => shownNumber(y),
  };
}

// What goes on with a pointer and with what is shown: charts that follow each other, bands, who is told of a zoom.
function followed({ sync, bands, zoomed }) {
  return {
    cursor: { drag: { x: true, y: false }, ...(sync ? { sync: { key: sync } } : {}) },
    hooks: {
      drawClear: bands ? [(plot) => drawBands(plot, bands)] : [],
      setScale: [(plot, name) => name === "x" && zoomed?.(plot.scales.x.min, plot.scales.x.max)],
    },
  };
}

function ticks(splits, zone) {
  let date = "";
  return splits.map((at) => {
    const one = wall(at, zone);
    const told = one.date === date ? clock(at, zone) : `${clock(at, zone)}\n${one.date}`;
    date = one.date;
    return told;
  });
}
