// The page: what is told by the stream, shown. Its address says whose plant it is.
import { Alarms } from "./alarms.js";
import { Live } from "./live.js";
import { Resources } from "./resources.js";
import { showAbnormal, showGaps, showInstructions, showServices } from "./services.js";
import { byId, clockTime, make, say } from "./showing.js";

const found = location.pathname.match(/^\/plants\/([^/]+)$/);
const plant = found ? decodeURIComponent(found[1]) : null;
const TrendPanel = plant === null ? null : (await import("./trends.js")).TrendPanel; // only a plant's page has charts
const who = await (await fetch("/session")).json();
const act = who.may_operate ? (await import("./answers.js")).answering(who) : undefined;
const alarms = new Alarms(who);
const panels = new Map(); // a trend for each resource
const resources = new Resources(byId("resources"), plant === null);

const begins = (changed, start) => [...changed].some((key) => key.startsWith(start));

function told(parts, changed) {
  resources.show(parts, changed);
  if (plant !== null) trends(parts, changed);
  if (changed.has("console")) showConsole(parts.console);
  if (begins(changed, "service/")) showServices(parts);
  if (begins(changed, "service/") || begins(changed, "alarm/") || begins(changed, "flood/")) alarms.show(parts);
  if (changed.has("gaps")) showGaps(parts);
  if (begins(changed, "resource/")) showInstructions(parts, live.now, act);
  if (changed.size) showAbnormal(parts);
  run();
  document.body.dataset.state = "shown";
}

function trends(parts, changed) {
  for (const key of changed) {
    const part = parts[key];
    if (!key.startsWith("resource/") || !part) continue;
    if (!panels.has(key)) {
      panels.set(key, new TrendPanel(part));
      byId("trends").append(panels.get(key).element);
    }
  }
  for (const [key, panel] of panels) if (parts[key]) panel.note(parts[key], live.now);
}

function showConsole(part) {
  const names = [["/", "All plants"], ...part.plants.map((name) => [`/plants/${encodeURIComponent(name)}`, name])];
  const here = plant === null ? "/" : `/plants/${encodeURIComponent(plant)}`;
  byId("plants").replaceChildren(...names.map(([href, name]) => make("a", { href, "aria-current": href === here ? "page" : null }, name)));
  say(byId("environment"), part.environment === "production" ? "" : part.environment);
  say(byId("title"), plant ?? "All plants");
  document.title = `${plant ?? "All plants"} \u00b7 dotbus`;
}

function liveness(isLive, words) {
  document.body.dataset.live = isLive ? "live" : "broken";
  say(byId("live"), isLive ? words : `\u25b2 ${words}`);
}

function run() {
  say(byId("clock"), clockTime(live.now));
  if (document.body.dataset.live === "live") resources.run(live.now);
}

function showWho(who) {
  if (!who.signs_out) return;
  const leave = make("button", { type: "button" }, "Sign out");
  leave.addEventListener("click", async () => {
    await fetch("/sign-out", { method: "POST", headers: { "X-CSRF-Token": who.csrf } });
    location.assign("/sign-in");
  });
  byId("who").replaceChildren(make("span", {}, `${who.name}, ${who.role}`), leave);
}

showWho(who);
const live = new Live(plant, told, liveness);
setInterval(run, 500);
