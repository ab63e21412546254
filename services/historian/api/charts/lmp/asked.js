"use strict";
// What the form asks for, and the prices that answer it.
const COMPONENTS = { lmp: "LMP", energy: "Energy", congestion: "Congestion", loss: "Loss", ghg: "Greenhouse gas" };
const UNIT = "USD/MWh";
const MOST_NODES = 5;
// A price is there when its interval is over at the latest, and a little later.
const LATE_S = { RTM: 900, RTPD: 1800, HASP: 5400, DAM: 0, RUC: 0 };
const form = element("ask");

const value = (component) => (row) => row[`${component}_usd_per_mwh`];
const nodesOf = (text) => [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
const ofNode = (rows, node) => rows.filter((row) => row.node === node);

function asked() {
  const told = Object.fromEntries(new FormData(form));
  return { ...told, nodes: nodesOf(told.node), component: told.component || "lmp" };
}

// What keeps it from being shown; null when nothing does.
function whyNot({ nodes }) {
  if (!nodes.length) return "Name a node: type two letters of it, and choose one.";
  return nodes.length > MOST_NODES ? `${nodes.length} nodes are named, and at most ${MOST_NODES} are shown: leave out ${nodes.slice(MOST_NODES).join(", ")}, or others.` : null;
}

// From the first day's midnight to the one after the last day.
const rangeOf = ({ start, end }) => [midnight(start), midnight(dayAfter(end))];
// Up to where prices must be there by now.
const dueUntil = (from, to, market) => Math.min(to, Math.max(from, nowSeconds() - LATE_S[market]));

function resolutionFor(told, span) {
  if (told !== "auto") return told;
  return span <= 8 * DAY_S ? "raw" : span <= 100 * DAY_S ? "hour" : "day";
}

function pricesOf(nodes, from, to, resolution, signal) {
  const { market, zone } = asked();
  return allRows("/v1/prices", { node: nodes, market, start: instant(from), end: instant(to), resolution, tz: zone }, signal);
}
