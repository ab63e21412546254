"use strict";
const BATCH_OLD_S = 900; // CAISO dispatches every five minutes
const GOOD = 192;
const UNCERTAIN = 64;
const MOST_MOMENTS = 1500;
const STEPS_S = [60, 120, 300, 600, 900, 1800, 3600];
const plant = decodeURIComponent(location.pathname.replace(/^.*\/charts\/plant\//, ""));
const form = element("ask");
let resources = [];
let shown = { charts: [], whole: [0, 1], table: () => ({ columns: [], rows: [] }), name: "plant" };

const asked = () => {
  const told = Object.fromEntries(new FormData(form));
  return { ...told, resource: resources.find((one) => one.resource_id === told.resource) };
};

async function answers({ resource, known, zone }, from, to, signal) {
  const step_s = STEPS_S.find((step) => (to - from) / step <= MOST_MOMENTS) ?? 3600;
  const range = { start: instant(from), end: instant(to), tz: zone };
  const of = { resource: resource.resource_id, ...range };
  // What a gateway will know nobody knows: then ends now.
  const until = known === "then" ? Math.max(from + step_s, Math.min(to, nowSeconds())) : to;
  const moments = { ...of, end: instant(Math.round(until)), known, step_s };
  const prices = resource.node ? pricesOrWhy(resource.node, range, signal) : [];
  const [dots, setPoints, trajectory, priced] = await Promise.all([
    allRows("/v1/dot", { schedule: resource.schedule ?? "five-minute", ...of, plant }, signal),
    allRows("/v1/set-point", moments, signal),
    allRows("/v1/trajectory", moments, signal),
    prices,
  ]);
  return { dots, setPoints, trajectory, prices: priced, step_s };
}

// What a plant was asked is shown also where its node's prices cannot be.
async function pricesOrWhy(node, range, signal) {
  try {
    return await allRows("/v1/prices", { node, market: "RTM", ...range }, signal);
  } catch (error) {
    if (signal.aborted || !(error instanceof Problem)) throw error;
    return Object.assign([], { why: error.message });
  }
}

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

function draw(told, { dots, setPoints, trajectory, prices, step_s }, from, to) {
  for (const chart of shown.charts) chart.end();
  const bands = doubts(setPoints, step_s).filter((band) => band.from < nowSeconds());
  const whole = [from, to];
  const table = () => momentsTable(setPoints, trajectory, prices, shown.charts[0]?.range ?? whole);
  shown = { charts: [], whole, table, name: `${plant}-${told.resource.resource_id}-${told.start}` };
  // Both charts show the same stretch.
  const zoomed = (min, max) => {
    for (const chart of shown.charts) if (chart.range[0] !== min || chart.range[1] !== max) chart.zoom(min, max);
    if (shown.charts.length) showTable(shown.table());
  };
  const both = { zone: told.zone, whole, sync: "plant", zoomed };
  const power = [{ label: "Set-point", line: through(setPoints, "set_point_mw") }, { label: "DOT", line: stepped(dots, (row) => row.dot_mw), isStepped: true }, { label: "Trajectory", line: through(trajectory, "trajectory_mw") }];
  const charts = [new Chart(element("chart"), { ...both, lines: power, unit: "MW", bands })];
  element("second").hidden = !told.resource.node;
  if (told.resource.node) charts.push(new Chart(element("second"), { ...both, lines: [{ label: `Price of ${told.resource.node}`, line: stepped(prices, (row) => row.lmp_usd_per_mwh), isStepped: true }], unit: "USD/MWh", height: 190 }));
  shown.charts = charts;
  showTable(shown.table());
  return bands;
}

function momentsTable(setPoints, trajectory, prices, [min, max]) {
  const curve = new Map(trajectory.map((row) => [row.time, row]));
  const columns = ["time", "set_point_mw", "quality", "reasons", "dot_mw", "dot_quality", "trajectory_mw", "trajectory_quality", "lmp_usd_per_mwh"];
  let place = 0;
  const rows = [];
  for (const row of setPoints) {
    const at = seconds(row.time);
    while (place < prices.length && seconds(prices[place].interval_end) <= at) place += 1;
    const price = prices[place] && seconds(prices[place].interval_start) <= at ? prices[place].lmp_usd_per_mwh : null;
    const point = curve.get(row.time);
    if (at >= min && at <= max) rows.push([row.time, row.set_point_mw, row.quality, row.reasons, row.dot_mw, row.dot_quality, point?.trajectory_mw, point?.quality, price]);
  }
  return { columns, rows };
}

function tell(told, answer, bands, from, to) {
  const { resource, zone, known } = told;
  const until = Math.min(to, Math.max(from, nowSeconds()));
  const length = (isBad) => bands.filter((band) => band.isBad === isBad).reduce((sum, band) => sum + Math.max(0, Math.min(band.to, until) - band.from), 0);
  const limits = [resource.pmin_mw, resource.pmax_mw].some((one) => one !== null) ? ` Limits ${shownNumber(resource.pmin_mw, 1)} to ${shownNumber(resource.pmax_mw, 1)} MW.` : "";
  const past = bands.filter((band) => band.from < until);
  const zoneText = zone === "UTC" ? "UTC" : "Pacific (California's, with daylight saving)";
  tellNotes([
    { text: `Times are ${zoneText}; days are trade dates. The set-point is drawn every ${age(answer.step_s)}, as ${known === "then" ? "a gateway knew it at each moment" : "it is known now"}.${limits}` },
    batchNote(answer.dots, to, zone),
    past.length ? { text: `The set-point was bad for ${age(length(true))} and uncertain for ${age(length(false))}: ${past.slice(0, 4).map((band) => `${during(band.from, Math.min(band.to, until), zone)} ${band.isBad ? "bad" : "uncertain"} (${band.why || "no reason told"})`).join("; ")}${past.length > 4 ? `; and ${past.length - 4} more stretches` : ""}.`, abnormal: true } : { text: "The set-point was good all the time." },
    missingNote(missing(answer.dots, from, until, (row) => row.dot_mw), zone, "DOTs"),
    answer.prices.why ? { text: `There are no prices: ${answer.prices.why}`, abnormal: true } : resource.node ? missingNote(missing(answer.prices, from, Math.min(until, Math.max(from, nowSeconds() - BATCH_OLD_S)), (row) => row.lmp_usd_per_mwh), zone, `prices of ${resource.node}`) : { text: "The installation names no node for it: there is no price." },
  ]);
}

function batchNote(dots, to, zone) {
  const received = dots.map((row) => row.batch_received_at).filter(Boolean).map(seconds);
  if (!received.length) return { text: "CAISO told no DOT for this range.", abnormal: true };
  const last = Math.max(...received);
  const text = `CAISO's last batch of this range is of ${said(last, zone)}, ${age(nowSeconds() - last)} ago.`;
  return to > nowSeconds() && last < nowSeconds() - BATCH_OLD_S ? { text: `Old data. ${text}`, abnormal: true } : { text };
}

async function showPlant(signal) {
  if (!resources.length) await fillResources(signal);
  const told = asked();
  if (!told.resource) throw new Problem(`The plant ${plant} has no resource that is known.`);
  const [from, to] = [midnight(told.start), midnight(dayAfter(told.end))];
  const answer = await answers(told, from, to, signal);
  tell(told, answer, draw(told, answer, from, to), from, to);
}

async function fillResources(signal) {
  const wanted = new URLSearchParams(location.search).get("resource");
  resources = await allRows("/v1/resources", { plant }, signal);
  const select = form.elements.resource;
  select.replaceChildren();
  for (const { resource_id } of resources) make("option", resource_id, select);
  if (resources.some((one) => one.resource_id === wanted)) select.value = wanted;
}

function show() {
  const { start, end } = form.elements;
  if (end.value < start.value) end.value = start.value;
  return showing(async (signal) => { await showPlant(signal); writeAddress(form); });
}

element("title").textContent = `Plant ${plant}`;
document.title = `${plant} \u00b7 dotbus`;
form.elements.start.value = form.elements.end.value = today();
readAddress(form);
form.onsubmit = (event) => { event.preventDefault(); show(); };
form.onchange = () => show();
zoomButtons(() => shown.charts, () => shown.whole);
element("csv").onclick = () => saveCsv(shown.table(), shown.name);
element("as-table").onclick = (event) => {
  element("table").hidden = !element("table").hidden;
  event.target.setAttribute("aria-pressed", String(!element("table").hidden));
  showTable(shown.table());
};
show();
