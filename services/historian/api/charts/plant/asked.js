"use strict";
// What the form asks for of a plant's resource, and what answers it.
const MOST_MOMENTS = 1500;
const STEPS_S = [60, 120, 300, 600, 900, 1800, 3600];
const plant = decodeURIComponent(location.pathname.replace(/^.*\/charts\/plant\//, ""));
const form = element("ask");
let resources = [];

function asked() {
  const told = Object.fromEntries(new FormData(form));
  return { ...told, resource: resources.find((one) => one.resource_id === told.resource) };
}

async function answers({ resource, known, zone }, from, to, signal) {
  const step_s = STEPS_S.find((step) => (to - from) / step <= MOST_MOMENTS) ?? 3600;
  const range = { start: instant(from), end: instant(to), tz: zone };
  const of = { resource: resource.resource_id, ...range };
  // What a gateway will know nobody knows: then ends now.
  const until = known === "then" ? Math.max(from + step_s, Math.min(to, nowSeconds())) : to;
  const moments = { ...of, end: instant(Math.round(until)), known, step_s };
  const [told, setPoints, trajectory, prices] = await Promise.all([
    allRows("/v1/dot", { schedule: resource.schedule ?? "five-minute", ...of, plant }, signal),
    allRows("/v1/set-point", moments, signal),
    allRows("/v1/trajectory", moments, signal),
    resource.node ? pricesOrWhy(resource.node, range, signal) : [],
  ]);
  // One that began months ago would make all others narrow.
  const dots = told.map((row) => (seconds(row.interval_start) < from ? { ...row, interval_start: range.start } : row));
  return { dots, setPoints, trajectory, prices, step_s };
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

async function fillResources(signal) {
  const wanted = new URLSearchParams(location.search).get("resource");
  resources = await allRows("/v1/resources", { plant }, signal);
  const select = form.elements.resource;
  select.replaceChildren();
  for (const { resource_id } of resources) make("option", resource_id, select);
  if (resources.some((one) => one.resource_id === wanted)) select.value = wanted;
}
