// The page: what is told by the stream, shown. Its address says whose plant it is.
import { Alarms } from "./alarms.js";
import { Live } from "./live.js";
import { Resources } from "./resources.js";
import { showAbnormal, showGaps, showInstructions, showServices } from "./services.js";
import { button, byId, clockTime, make, pageOf, say } from "./showing.js";

const found = location.pathname.match(/^\/plants\/([^/]+)$/);
const plant = found ? decodeURIComponent(found[1]) : null;
const TrendPanel = plant === null ? null : (await import("./trends.js")).TrendPanel; // only a plant's page has charts
const who = await whoAsks();
const act = who.may_operate ? (await import("./answers.js")).answering(who) : undefined;
const alarms = new Alarms(who);
const panels = new Map(); // a trend for each resource
const resources = new Resources(byId("resources"), plant === null);
let version = null;
let isAnswerable = false; // whether the list of instructions has one that time runs out for

const begins = (changed, ...starts) => [...changed].some((key) => starts.some((one) => key.startsWith(one)));

function told(parts, changed, isWhole) {
  resources.show(parts, changed);
  if (plant !== null) trends(parts, changed, isWhole);
  if (changed.has("console")) showConsole(parts.console);
  if (begins(changed, "service/")) showServices(parts);
  if (begins(changed, "service/", "alarm/", "flood/")) alarms.show(parts);
  if (changed.has("gaps")) showGaps(parts);
  if (isAnswerable || begins(changed, "resource/")) isAnswerable = showInstructions(parts, live.now, act);
  if (changed.size) showAbnormal(parts);
  run();
  document.body.dataset.state = "shown";
}

function trends(parts, changed, isWhole) {
  for (const key of changed) {
    const part = parts[key];
    if (!key.startsWith("resource/") || !part) continue;
    if (!panels.has(key)) {
      panels.set(key, new TrendPanel(part));
      byId("trends").append(panels.get(key).element);
    }
  }
  for (const [key, panel] of panels) if (parts[key]) panel.note(parts[key], live.now, isWhole);
}

function showConsole(part) {
  version ??= part.version;
  if (part.version !== version) location.reload(); // another version tells what this page may not know how to show
  const names = [["/", "All plants"], ...part.plants.map((name) => [pageOf(name), name])];
  const here = plant === null ? "/" : pageOf(plant);
  byId("plants").replaceChildren(...names.map(([href, name]) => make("a", { href, "aria-current": href === here ? "page" : null }, name)));
  say(byId("environment"), part.environment === "production" ? "" : part.environment);
  say(byId("title"), plant ?? "All plants");
  document.title = `${plant ?? "All plants"} · dotbus`;
}

function liveness(isLive, words) {
  document.body.dataset.live = isLive ? "live" : "broken";
  say(byId("live"), isLive ? words : `▲ ${words}`);
  run();
}

// A clock that goes on looks live: it is shown only where it is.
function run() {
  const isLive = document.body.dataset.live === "live";
  say(byId("clock"), isLive ? clockTime(live.now) : "");
  if (isLive) resources.run(live.now);
}

async function whoAsks() {
  for (;;) {
    const answer = await fetch("/session").catch(() => null);
    if (answer?.ok) return answer.json();
    if (answer?.status === 401) location.reload();
    say(byId("live"), "▲ The console does not answer. It is asked again.");
    await new Promise((asked) => setTimeout(asked, 1000));
  }
}

function showWho(who) {
  if (!who.signs_out) return;
  const leave = button("Sign out", async () => {
    await fetch("/sign-out", { method: "POST", headers: { "X-CSRF-Token": who.csrf } });
    location.assign("/sign-in");
  });
  byId("who").replaceChildren(make("span", {}, `${who.name}, ${who.role}`), leave);
}

showWho(who);
const live = new Live(plant, told, liveness);
setInterval(run, 500);
