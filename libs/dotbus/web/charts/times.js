"use strict";
// Instants are seconds since 1970.
const ZONES = { Pacific: "America/Los_Angeles", UTC: "UTC" };

const parts = {};
function wall(at, zone) {
  parts[zone] ??= new Intl.DateTimeFormat("en-CA", { timeZone: ZONES[zone], hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const told = Object.fromEntries(parts[zone].formatToParts(new Date(at * 1000)).map((part) => [part.type, part.value]));
  return { date: `${told.year}-${told.month}-${told.day}`, time: `${told.hour}:${told.minute}`, hour: Number(told.hour), second: told.second };
}
const said = (at, zone) => `${wall(at, zone).date} ${clock(at, zone)}`;

// Where clocks go back an hour is there twice: which of the two is said with it, and only then.
function clock(at, zone) {
  const { date, time } = wall(at, zone);
  const isAlso = (other) => { const one = wall(other, zone); return one.date === date && one.time === time; };
  return time + (isAlso(at + 3600) ? " PDT" : isAlso(at - 3600) ? " PST" : "");
}
