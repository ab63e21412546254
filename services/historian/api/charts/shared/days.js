"use strict";
// Instants and trade dates, which are California's; how long something is.
const DAY_S = 86400;

const seconds = (text) => Date.parse(text) / 1000;
const nowSeconds = () => Date.now() / 1000;
const instant = (at) => new Date(at * 1000).toISOString().replace(".000Z", "Z");

function midnight(date) {
  const standard = seconds(`${date}T00:00:00-08:00`);
  return wall(standard, "Pacific").time === "00:00" ? standard : standard - 3600;
}
const dayAfter = (date, days = 1) => new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_S * 1000).toISOString().slice(0, 10);
const today = () => wall(nowSeconds(), "Pacific").date;

function age(span) {
  if (span < 90) return `${Math.round(span)} s`;
  if (span < 5400) return `${Math.round(span / 60)} min`;
  return span < 2 * DAY_S ? `${Math.round(span / 3600)} h` : `${Math.round(span / DAY_S)} days`;
}
function during(from, to, zone) {
  return wall(from, zone).date === wall(to, zone).date ? `${said(from, zone)}\u2013${clock(to, zone)}` : `${said(from, zone)} \u2013 ${said(to, zone)}`;
}
