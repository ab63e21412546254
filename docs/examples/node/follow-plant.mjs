// Follows a plant on the bus: what its DOTs are worth, as lines of JSON, and each dispatch kept exactly once in a file.
//
//   npm ci
//   node follow-plant.mjs --host broker.example --ca ca.pem --user plant-sierra --password-file sierra.password --plant sierra

import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import mqtt from "mqtt";
import { Dots } from "./dots.mjs";

const LOOK_EVERY_MS = 500;
const AWAY_S = 7 * 86400; // for so long the broker keeps what we have not taken

const { values: told } = parseArgs({
  options: {
    host: { type: "string" },
    port: { type: "string", default: "8883" },
    ca: { type: "string" }, // the certificate of the CA that the broker's is of
    user: { type: "string" },
    "password-file": { type: "string" },
    "client-id": { type: "string" }, // names our session at the broker; no two clients may share one
    root: { type: "string", default: "dotbus/v1" },
    plant: { type: "string" },
    resource: { type: "string", multiple: true, default: [] }, // told of also before anything was said of it
    environment: { type: "string", default: "production" },
    "stale-after-s": { type: "string", default: "90" },
    events: { type: "string", default: "dispatches.jsonl" },
  },
});
for (const name of ["host", "ca", "user", "password-file", "plant"]) if (!told[name]) throw new Error(`--${name} is missing`);

const say = (what) => console.log(JSON.stringify(what));

// Dispatches and trajectory batches, each once. What is done with an event is to write it as a line, and its id is in that line:
// so there is no moment at which the one is done and not the other. A line that was cut off by an end is none.
class Events {
  constructor(path, environment) {
    const kept = existsSync(path) ? readFileSync(path) : Buffer.alloc(0), whole = kept.lastIndexOf("\n") + 1;
    if (whole < kept.length) truncateSync(path, whole);
    const lines = kept.subarray(0, whole).toString().split("\n").filter(Boolean).map((line) => JSON.parse(line));
    Object.assign(this, { environment, file: openSync(path, "a"), ids: new Set(), numbers: new Map() });
    lines.forEach((event) => this.note(event));
    process.on("exit", () => closeSync(this.file));
  }

  note(event) {
    this.ids.add(event.id);
    if (event.plant_seq === null) return;
    const key = `${event.source} ${event.stream}`, seen = this.numbers.get(key) ?? { count: 0, least: Infinity, most: -Infinity };
    const { plant_seq: number } = event;
    this.numbers.set(key, { count: seen.count + 1, least: Math.min(seen.least, number), most: Math.max(seen.most, number) });
  }

  // Keeps an event on disk. Null when it is there already, or is not of our environment.
  take(payload) {
    const event = JSON.parse(payload.toString());
    if (!event.id || !event.stream) throw new Error("this is no event");
    if (event.version !== 1 || event.environment !== this.environment || this.ids.has(event.id)) return null;
    writeSync(this.file, `${JSON.stringify(event)}\n`);
    fdatasyncSync(this.file);
    this.note(event);
    const { count, least, most } = this.numbers.get(`${event.source} ${event.stream}`) ?? { count: 0, least: 1, most: 0 };
    return { ...event, missing: most - least + 1 - count }; // they may be on their way
  }
}

// A name as a level of a topic.
const level = (name) => name.replace(/[/+#%\x00-\x1f\x7f]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

const plant = `${told.root}/plant/${level(told.plant)}`;
const filters = ["dot", "dispatch", "trajectory-batch"].map((kind) => `${plant}/+/${kind}`).concat(`${told.root}/service/ads_ingest/+`);
const dots = new Dots(told.environment, { staleAfterS: Number(told["stale-after-s"]) });
const events = new Events(told.events, told.environment);
const shown = new Map(told.resource.map((name) => [`${plant}/${level(name)}/dot`, null]));

const client = mqtt.connect({
  protocol: "mqtts",
  protocolVersion: 5,
  host: told.host,
  port: Number(told.port),
  ca: readFileSync(told.ca),
  username: told.user,
  password: readFileSync(told["password-file"], "utf8").trim(),
  clientId: told["client-id"] ?? `follow-${told.plant}`,
  clean: false,
  properties: { sessionExpiryInterval: AWAY_S },
  keepalive: 10,
  reconnectPeriod: 1000,
  resubscribe: false, // it is done below: each time, so that states come anew
});

client.on("connect", async () => {
  dots.turn(true);
  const granted = await client.subscribeAsync(filters, { qos: 1 });
  if (granted.some(({ qos }) => qos > 2)) throw new Error(`the broker lets us hear only some of ${filters}`);
});
client.on("close", () => dots.turn(false));
client.on("error", (error) => say({ broker: error.message }));

// The broker hears that a message was taken when `taken` is called: after it is kept, else it says it again.
client.handleMessage = (packet, taken) => {
  try {
    take(packet);
    taken();
  } catch (error) {
    say({ failed: packet.topic, why: error.message });
    process.exit(1); // the disk does not take it: not taken, so that it comes again
  }
};

function take({ topic, payload, retain }) {
  const kind = topic.slice(topic.lastIndexOf("/") + 1);
  if (kind === "dispatch" || kind === "trajectory-batch") return takeEvent(topic, payload);
  dots.take(topic, payload, retain);
  if (kind === "dot" && !shown.has(topic)) shown.set(topic, null);
}

function takeEvent(topic, payload) {
  let event;
  try {
    event = events.take(payload);
  } catch (error) {
    if (error.code) throw error; // of the disk
    say({ unread: topic, why: error.message });
    return;
  }
  if (event) say({ event: event.id, resource: event.resource_id, missing: event.missing });
}

// Time alone changes what a DOT is worth, too.
setInterval(() => {
  for (const [topic, before] of shown) {
    const { age_s, ...worth } = dots.read(topic), now = JSON.stringify(worth);
    if (now !== before) {
      shown.set(topic, now);
      say({ resource: decodeURIComponent(topic.split("/").at(-2)), ...worth, age_s: age_s && Math.round(age_s * 10) / 10 });
    }
  }
}, LOOK_EVERY_MS);
