// The trend of a resource: what was asked and done, and what is ahead. Fetched once, and then continued by what the stream tells.
import { replace, rows } from "./services.js";
import { button, clockTime, make, number, options, say } from "./showing.js";

const EVERY_S = 10;
const SHOWN_MIN = { 15: "15 min", 60: "1 h", 240: "4 h", 1440: "24 h" };
const AHEAD_S = { 15: 300, 60: 3600, 240: 7200, 1440: 21600 };
const LEVELS = ["bad", "uncertain", "good"];
const COLUMNS = ["at", "set_point_mw", "trajectory_mw", "actual_mw", "level"];
const EDGE = 0.001;
const CHARTS = { chart: { unit: "MW", height: 280 }, price: { unit: "$/MWh", height: 170 } };
ZONES.here = Intl.DateTimeFormat().resolvedOptions().timeZone;

// Intervals as steps, with a gap where none is.
function steps(intervals) {
  const line = [];
  let until = -Infinity;
  for (const [start, end, value] of intervals) {
    if (start > until) line.push([start - EDGE, null]);
    line.push([start, value], [end - EDGE, value], [end, null]);
    if (start === until) line.splice(-4, 1); // the next one begins where this one ends
    until = end;
  }
  return line;
}

const within = (intervals, at) => intervals.find(([start, end]) => start <= at && at < end)?.[2] ?? null;

function keep(intervals, one) {
  const place = intervals.findIndex(([start]) => start >= one[0]);
  if (place < 0) intervals.push(one);
  else intervals.splice(place, intervals[place][0] === one[0] ? 1 : 0, one);
}

export class TrendPanel {
  constructor(part) {
    this.plant = part.plant;
    this.resource = part.resource;
    this.minutes = 60;
    this.trend = null;
    this.range = null;
    this.isNew = true;
    const select = make("select", { "aria-label": `Hours shown of ${part.resource}` }, ...options(SHOWN_MIN));
    select.value = "60";
    select.addEventListener("change", () => { this.minutes = Number(select.value); this.fetch(true); });
    this.asTable = button("As a table", () => this.toggle(), { "aria-pressed": "false" });
    this.host = make("div", { role: "img", "aria-label": `Trend of ${part.resource}; also as a table` });
    this.priced = make("div", { role: "img", "aria-label": `Price trend of ${part.resource}` });
    this.note_ = make("p", { class: "note" });
    this.table = make("div", { hidden: "" });
    this.element = make("div", { class: "trend" }, make("h2", {}, part.resource),
      make("div", { class: "tools" }, select, button("All", () => this.all()), this.asTable, button("CSV", () => this.save())),
      this.host, this.priced, this.note_, this.table);
    this.fetch(true);
  }

  async fetch(isNew) {
    const asked = this.minutes;
    const answer = await fetch(`/trends?${new URLSearchParams({ plant: this.plant, resource: this.resource, hours: asked / 60 })}`).catch(() => null);
    if (asked !== this.minutes) return;
    if (!answer?.ok) { say(this.note_, "▲ The console does not tell the trend."); return; }
    this.trend = await answer.json();
    this.draw(isNew); // where it is not, whoever looks closer goes on
  }

  // What the stream says now; the trend goes on by it. What was told while nobody listened is asked for.
  note(part, now, isWhole) {
    this.now = now;
    if (isWhole && !this.isNew) this.fetch();
    this.isNew = false;
    if (!this.trend) return;
    const { samples, dots } = this.trend;
    for (const dot of [part.dot, part.next_dot]) if (dot.start !== null && dot.end !== null && dot.mw.value !== null) keep(dots, [dot.start, dot.end, dot.mw.value]);
    const level = LEVELS.indexOf(part.level);
    if (samples.at.length && now - samples.at.at(-1) < EVERY_S && level === samples.level.at(-1)) return;
    const values = [now, part.set_point.value, part.trajectory.value, part.actual?.value ?? null, level];
    COLUMNS.forEach((name, place) => samples[name].push(values[place]));
    const over = samples.at.findIndex((at) => at > now - this.minutes * 60);
    if (over > 100) for (const name of COLUMNS) samples[name].splice(0, over);
    if (part.price_start !== null && within(this.trend.prices, now) === null) this.fetch();
    else this.draw(false);
  }

  get whole() {
    const now = this.now ?? Date.now() / 1000;
    const { since, dots, prices, trajectory_ahead: ahead } = this.trend;
    const last = Math.max(now + 60, ...[...dots, ...prices].map(([, end]) => end), ...ahead.map(([at]) => at));
    return [Math.max(now - this.minutes * 60, since === null ? 0 : since - 30), Math.min(last, now + AHEAD_S[this.minutes])];
  }

  lines() {
    const { samples, dots, trajectory_ahead: ahead } = this.trend;
    const column = (name) => samples.at.map((at, place) => [at, samples[name][place]]);
    const lines = [{ label: "DOT", line: steps(dots), isStepped: true }, { label: "Set-point", line: column("set_point_mw") }];
    if (ahead.length || samples.trajectory_mw.some((one) => one !== null)) {
      const last = samples.at.at(-1) ?? -Infinity;
      lines.push({ label: "Trajectory", line: [...column("trajectory_mw"), ...ahead.filter(([at]) => at > last)] });
    }
    if (samples.actual_mw.some((one) => one !== null)) lines.push({ label: "Actual", line: column("actual_mw") });
    return lines;
  }

  bands() {
    const { at, level } = this.trend.samples;
    const found = [];
    for (let place = 0; place < at.length; place += 1) {
      if (level[place] === 2) continue;
      const last = found.at(-1);
      const until = at[place + 1] ?? at[place] + EVERY_S;
      if (last && last.to === at[place] && last.isBad === (level[place] === 0)) last.to = until;
      else found.push({ from: at[place], to: until, isBad: level[place] === 0 });
    }
    return found;
  }

  draw(isNew) {
    const prices = this.trend.prices.length ? [{ label: "Price", line: steps(this.trend.prices), isStepped: true }] : [];
    const began = this.trend.since === null || this.trend.since < this.whole[0] ? "" : `Since ${clockTime(this.trend.since)}, when this console began to listen. `;
    say(this.note_, `${began}Hatched: uncertain. Crossed: bad. Drag to look closer.`);
    for (const [name, lines] of [["chart", this.lines()], ["price", prices]]) {
      if (isNew || this[name]?.options.lines.length !== lines.length) this.make(name, lines);
      else this.again(this[name], lines);
    }
    if (!this.table.hidden) this.showTable();
  }

  make(name, lines) {
    this[name]?.end();
    this[name] = undefined;
    const [host, own] = name === "chart" ? [this.host, { bands: this.bands(), zoomed: (min, max) => this.zoomed(min, max) }] : [this.priced, {}];
    host.hidden = lines.length === 0;
    if (!lines.length) return;
    this.range = null;
    this.set = this.whole;
    this[name] = new Chart(host, { ...CHARTS[name], lines, zone: "here", sync: this.resource, whole: this.set, ...own });
  }

  again(chart, lines) {
    chart.options.lines = lines;
    chart.options.bands?.splice(0, Infinity, ...this.bands());
    this.set = this.range ?? this.whole;
    chart.plot.setData(aligned(lines), false);
    chart.zoom(...this.set);
  }

  // uPlot tells of each change of the range, also of ours, and later.
  zoomed(min, max) {
    if (min === this.set[0] && max === this.set[1]) return;
    this.range = [min, max];
    if (!this.table.hidden) this.showTable();
  }

  all() { this.range = null; this.draw(false); }

  toggle() {
    this.table.hidden = !this.table.hidden;
    this.asTable.setAttribute("aria-pressed", String(!this.table.hidden));
    if (!this.table.hidden) this.showTable();
  }

  rows() {
    const { samples, dots, prices } = this.trend;
    const [from, to] = this.range ?? this.whole;
    const past = samples.at.map((at, place) => [at, within(dots, at), samples.set_point_mw[place], samples.trajectory_mw[place], samples.actual_mw[place], within(prices, at), LEVELS[samples.level[place]]]);
    const last = samples.at.at(-1) ?? -Infinity;
    const starts = [...new Set([...dots, ...prices].map(([start]) => start))].filter((at) => at > last).sort((one, other) => one - other);
    const coming = starts.map((at) => [at, within(dots, at), null, null, null, within(prices, at), "ahead"]);
    return [...past, ...coming].filter(([at]) => from <= at && at <= to);
  }

  showTable() {
    const head = ["Time", "DOT, MW", "Set-point, MW", "Trajectory, MW", "Actual, MW", "Price, $/MWh", "Quality"];
    const lines = this.rows().reverse().slice(0, 500).map(([at, ...values]) => make("tr", {}, make("th", { scope: "row" }, clockTime(at)), ...values.map((one) => make("td", {}, typeof one === "string" ? one : number(one, 2)))));
    replace(this.table, rows(head, lines, `Trend of ${this.resource}`));
  }

  save() {
    const head = "time,dot_mw,set_point_mw,trajectory_mw,actual_mw,price_usd_per_mwh,quality";
    const lines = this.rows().map(([at, ...values]) => [new Date(at * 1000).toISOString(), ...values.map((one) => one ?? "")].join(","));
    const address = URL.createObjectURL(new Blob([[head, ...lines, ""].join("\n")], { type: "text/csv" }));
    const link = make("a", { href: address, download: `${this.resource.replace(/[^\w.-]/g, "_")}.csv` });
    link.click();
    URL.revokeObjectURL(address);
  }
}
