"use strict";
// Instants are seconds since 1970. Trade dates are California's.
const PACIFIC = "America/Los_Angeles";
const DAY_S = 86400;
const ZONES = { Pacific: PACIFIC, UTC: "UTC" };

const seconds = (text) => Date.parse(text) / 1000;
const nowSeconds = () => Date.now() / 1000;
const instant = (at) => new Date(at * 1000).toISOString().replace(".000Z", "Z");
const parts = {};
function wall(at, zone) {
  parts[zone] ??= new Intl.DateTimeFormat("en-CA", { timeZone: ZONES[zone], hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const told = Object.fromEntries(parts[zone].formatToParts(new Date(at * 1000)).map((part) => [part.type, part.value]));
  return { date: `${told.year}-${told.month}-${told.day}`, time: `${told.hour}:${told.minute}`, hour: Number(told.hour), second: told.second };
}
function midnight(date) {
  const standard = seconds(`${date}T00:00:00-08:00`);
  return wall(standard, "Pacific").time === "00:00" ? standard : standard - 3600;
}
const dayAfter = (date, days = 1) => new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_S * 1000).toISOString().slice(0, 10);
const today = () => wall(nowSeconds(), "Pacific").date;
const said = (at, zone) => `${wall(at, zone).date} ${clock(at, zone)}`;

// Where clocks go back an hour is there twice: which of the two is said with it, and only then.
function clock(at, zone) {
  const { date, time } = wall(at, zone);
  const isAlso = (other) => { const one = wall(other, zone); return one.date === date && one.time === time; };
  return time + (isAlso(at + 3600) ? " PDT" : isAlso(at - 3600) ? " PST" : "");
}
function age(span) {
  if (span < 90) return `${Math.round(span)} s`;
  if (span < 5400) return `${Math.round(span / 60)} min`;
  return span < 2 * DAY_S ? `${Math.round(span / 3600)} h` : `${Math.round(span / DAY_S)} days`;
}
function during(from, to, zone) {
  return wall(from, zone).date === wall(to, zone).date ? `${said(from, zone)}\u2013${clock(to, zone)}` : `${said(from, zone)} \u2013 ${said(to, zone)}`;
}
