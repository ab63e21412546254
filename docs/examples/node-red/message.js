// On Message of the function node "plant". Outputs: 1 a reading that changed, 2 a command to the bus, 3 an answer over HTTP.

const OUR_REPLIES = "node-red", EXPIRES_AFTER_MS = 60_000;
const nowMs = Date.now(), at = (ms) => new Date(ms).toISOString();
const names = (topic) => topic.split("/").slice(-3, -1).map(decodeURIComponent);
const answered = (waiting, statusCode, payload) => ({ ...waiting, statusCode, payload, headers: { "cache-control": "no-store" } });

if (msg.status) return turn(msg.status.fill === "green");
if (msg.req) return msg.req.method === "POST" ? accept(msg) : [null, null, answered(msg, 200, state())];
if (msg.topic === "look") return look();
if (msg.topic.endsWith(`/reply/${OUR_REPLIES}`)) return reply(msg);
if (msg.topic.endsWith("/instructions")) return keep(msg);
dots.take(msg.topic, msg.payload, msg.retain);
if (msg.topic.endsWith("/dot") && !topics.has(msg.topic)) topics.set(msg.topic, null);
return look();

function turn(isUp) {
  dots.turn(isUp);
  instructions.clear(); // they come again with the connection
  return look();
}

function keep({ topic, payload }) {
  try {
    const said = JSON.parse(payload.toString()), [plant, resource] = names(topic);
    const isOurs = said.kind === "instructions" && said.version === 1 && said.environment === environment;
    if (isOurs && said.plant === plant && said.resource_id === resource) return void instructions.set(topic, said);
  } catch (error) {
    node.warn(`${topic}: ${error.message}`);
  }
  instructions.delete(topic);
}

// Every second, and when something came: what changed, and who waited in vain.
function look() {
  const changed = [], late = [];
  for (const [topic, before] of topics) {
    const { age_s, ...worth } = dots.read(topic), now = JSON.stringify(worth), [plant, resource] = names(topic);
    if (now !== before) changed.push({ topic: resource, payload: { plant, resource, ...worth, age_s } });
    topics.set(topic, now);
  }
  for (const [id, { waiting, sinceMs }] of asked) {
    if (nowMs - sinceMs < EXPIRES_AFTER_MS) continue;
    asked.delete(id);
    late.push(answered(waiting, 504, { outcome: "unknown", detail: "no reply came; the instruction's own answer will tell", command_id: id }));
  }
  const worst = [...topics.keys()].reduce((least, topic) => Math.min(least, dots.read(topic).quality), topics.size ? 192 : 0);
  node.status({ fill: { 192: "green", 64: "yellow", 0: "red" }[worst], shape: "dot", text: `${topics.size} DOTs, worst ${worst}` });
  return [changed, null, late];
}

function state() {
  const of = (topic) => Object.assign({}, ...names(topic).map((name, n) => ({ [["plant", "resource"][n]]: name })));
  return {
    at: at(nowMs),
    dots: [...topics.keys()].map((topic) => ({ ...of(topic), ...dots.read(topic) })),
    open: [...instructions].flatMap(([topic, said]) => open(said).map((each) => ({ ...of(topic), ...each }))),
  };
}

// What can be answered still, as far as this state can be believed: ads_ingest checks it again.
function open(said) {
  if (said.valid_until && Date.parse(said.valid_until) < nowMs) return [];
  return said.instructions.filter(({ answer }) => answer?.is_open && (!answer.open_until || Date.parse(answer.open_until) > nowMs));
}

function accept(waiting) {
  const { plant, resource, instruction_uid: uid, name } = waiting.payload ?? {};
  const found = [...instructions].find(([topic]) => names(topic).join("/") === `${plant}/${resource}`);
  const instruction = found && open(found[1]).find((each) => each.instruction_uid === uid);
  if (!instruction || !name) return [null, null, answered(waiting, 409, { detail: "there is no such open instruction, or no name of who accepts it" })];
  const id = `${RED.util.generateId()}${RED.util.generateId()}`, topic = found[0].replace(/instructions$/, "command/accept");
  asked.set(id, { waiting, sinceMs: nowMs });
  const command = {
    kind: "respond", version: 1, environment, source: "node-red/main", time: at(nowMs),
    batch_uid: instruction.batch_uid, instruction_uid: uid, action: "accept",
    requested_by: name, command_id: id, expires_at: at(nowMs + EXPIRES_AFTER_MS),
  };
  return [null, { topic, payload: command, qos: 1, retain: false, responseTopic: `${topic}/reply/${OUR_REPLIES}`, correlationData: Buffer.from(id) }, null];
}

function reply({ payload, correlationData }) {
  const id = correlationData?.toString(), waits = asked.get(id);
  asked.delete(id);
  return waits ? [null, null, answered(waits.waiting, 200, JSON.parse(payload.toString()))] : null;
}
