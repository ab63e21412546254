"use strict";
// What is told beside the charts: the zone, how old the last batch is, doubt, and what is missing.
const BATCH_OLD_S = 900; // CAISO dispatches every five minutes

function tell(told, answer, bands, from, to) {
  const until = Math.min(to, Math.max(from, nowSeconds()));
  tellNotes([
    drawnNote(told, answer.step_s),
    batchNote(answer.dots, to, told.zone),
    doubtNote(bands.filter((band) => band.from < until), until, told.zone),
    missingNote(missing(answer.dots, from, until, (row) => row.dot_mw), told.zone, "DOTs"),
    priceNote(told, answer.prices, from, until),
  ]);
}

function drawnNote({ resource, zone, known }, step_s) {
  const zoneText = zone === "UTC" ? "UTC" : "Pacific (California's, with daylight saving)";
  const knownText = known === "then" ? "a gateway knew it at each moment" : "it is known now";
  const text = `Times are ${zoneText}; days are trade dates. The set-point is drawn every ${age(step_s)}, as ${knownText}.`;
  return { text: text + limitsText(resource) };
}

function limitsText({ pmin_mw, pmax_mw }) {
  if ([pmin_mw, pmax_mw].every((one) => one === null)) return "";
  return ` Limits ${shownNumber(pmin_mw, 1)} to ${shownNumber(pmax_mw, 1)} MW.`;
}

function batchNote(dots, to, zone) {
  const received = dots.map((row) => row.batch_received_at).filter(Boolean).map(seconds);
  if (!received.length) return { text: "CAISO told no DOT for this range.", abnormal: true };
  const last = Math.max(...received);
  const text = `CAISO's last batch of this range is of ${said(last, zone)}, ${age(nowSeconds() - last)} ago.`;
  return to > nowSeconds() && last < nowSeconds() - BATCH_OLD_S ? { text: `Old data. ${text}`, abnormal: true } : { text };
}

function doubtNote(bands, until, zone) {
  if (!bands.length) return { text: "The set-point was good all the time." };
  const lasted = (isBad) => age(bands.filter((band) => band.isBad === isBad).reduce((sum, band) => sum + Math.max(0, Math.min(band.to, until) - band.from), 0));
  const most = bands.slice(0, 4).map((band) => bandText(band, until, zone)).join("; ");
  const more = bands.length > 4 ? `; and ${bands.length - 4} more stretches` : "";
  return { text: `The set-point was bad for ${lasted(true)} and uncertain for ${lasted(false)}: ${most}${more}.`, abnormal: true };
}

function bandText({ from, to, isBad, why }, until, zone) {
  return `${during(from, Math.min(to, until), zone)} ${isBad ? "bad" : "uncertain"} (${why || "no reason told"})`;
}

function priceNote({ resource, zone }, prices, from, until) {
  if (prices.why) return { text: `There are no prices: ${prices.why}`, abnormal: true };
  if (!resource.node) return { text: "The installation names no node for it: there is no price." };
  const due = Math.min(until, Math.max(from, nowSeconds() - BATCH_OLD_S));
  return missingNote(missing(prices, from, due, (row) => row.lmp_usd_per_mwh), zone, `prices of ${resource.node}`);
}
