// What a resource's DOT on the bus is worth now: docs/quality.md for `dot` states, as a short program. It opens no connection.
//
// It judges no better than that page and now and then worse: when the time of day is set it knows nothing until it hears it
// again, and where a source goes back on what it said, or two contradict each other, it has no value.

const GOOD = 192, UNCERTAIN = 64, BAD = 0;
const LESS_THAN_BAD = ["source_offline", "source_failing", "broker_lost", "out_of_limits", "clock_in_doubt", "incomplete"];
const OF_BAD = ["never_received", "stale", "expired", "invalid", "wrong_environment"];
const AGREE_S = 2, COMPARED_FOR_S = 300, A_MINUTE_S = 60, STEP_S = 0.5, DAY_S = 86400;
const MOST = 500; // parts in a list of a message
const HOURLY = 1, EXCEPTIONAL = 4; // batch types; all others are five-minute
const ASKS = ["interval_start", "interval_end", "target_at", "dot_mw", "supp_mw", "must_follow"];

export class Dots {
  // `environment` is production, stage or simulator, and one counts: a test dispatch must never drive a plant by accident.
  // `now` is the time of day in seconds since 1970, `ticks` seconds of a clock that nobody sets.
  constructor(environment, { staleAfterS = 90, now = () => Date.now() / 1000, ticks = () => performance.now() / 1000 } = {}) {
    Object.assign(this, { environment, staleAfterS, now, ticks, connection: 0, isUp: false, setByS: now() - ticks() });
    this.states = new Map(); // by topic, then by source: the latest message and when it came
    this.unread = new Map(); // by topic: why the last payload does not count
    this.sources = new Map(); // by ads_ingest/INSTANCE
    this.retractedS = new Map();
    this.known = new Map(); // by topic and source, then by batch: the highest revision, and its end
    this.withdrawn = new Map(); // by topic, then by batch: the same of what was withdrawn
  }

  // The broker came or went. What it does not say again on a new connection may be gone: that is in doubt.
  turn(isUp) {
    this.isUp = isUp;
    this.connection += isUp ? 1 : 0;
  }

  // A message on `plant/PLANT/RESOURCE/dot` or `service/ads_ingest/INSTANCE`.
  take(topic, payload, isRetained) {
    const nowS = this.look(), names = topic.split("/").map(decodeURIComponent);
    if (payload.length === 0) {
      for (const known of [this.states, this.unread]) known.delete(topic);
      this.sources.delete(names.slice(-2).join("/"));
      this.retractedS.set(topic, nowS);
      return;
    }
    try {
      const message = JSON.parse(payload.toString()), kind = names.at(-1) === "dot" ? "dot" : "service";
      check(message.kind === kind && message.version === 1 && message.source.startsWith("ads_ingest/"));
      check(["production", "stage", "simulator"].includes(message.environment));
      if (message.environment !== this.environment) this.unread.has(topic) || this.unread.set(topic, "wrong_environment");
      else if (kind === "service") this.takeStatus(topic, names, message, isRetained);
      else this.takeDots(topic, names, message);
    } catch {
      this.unread.set(topic, "invalid"); // until a good message comes
    }
  }

  takeDots(topic, names, message) {
    check(message.plant === names.at(-3) && message.resource_id === names.at(-2));
    checkDots(message);
    const nowS = this.now(), saidS = Math.min(seconds(message.time), nowS + AGREE_S);
    if (saidS <= (this.retractedS.get(topic) ?? -Infinity)) return;
    this.unread.delete(topic);
    const states = within(this.states, topic), old = states.get(message.source), text = JSON.stringify(message);
    if (!old || saidS >= Math.min(seconds(old.message.time), old.arrivedS + AGREE_S)) {
      const arrivedS = old?.text === text ? old.arrivedS : nowS; // the same again keeps its first arrival
      states.set(message.source, { message, text, arrivedS, connection: this.connection });
    }
    for (const [known, items, end] of [
      [within(this.known, `${topic} ${message.source}`), message.intervals, "interval_end"],
      [within(this.withdrawn, topic), message.withdrawn ?? [], "until"],
    ]) {
      for (const each of items) {
        const before = known.get(each.batch_uid) ?? { revision: 0, endS: 0 }, endS = seconds(each[end]);
        const isHigher = revision(each) > before.revision || (revision(each) === before.revision && endS > before.endS);
        known.set(each.batch_uid, isHigher ? { revision: revision(each), endS } : before);
      }
      for (const [uid, { endS }] of known) if (endS < nowS - DAY_S) known.delete(uid);
    }
  }

  takeStatus(topic, names, message, isRetained) {
    const saidS = seconds(message.time), beganS = seconds(message.started_at), nowS = this.now();
    const isWill = !message.online && saidS === beganS, isLive = message.online && !isRetained;
    const atS = isWill ? nowS : Math.min(saidS, nowS + AGREE_S);
    if (message.source !== names.slice(-2).join("/") || atS <= (this.retractedS.get(topic) ?? -Infinity)) return;
    const source = this.sources.get(message.source) ?? newSource();
    this.sources.set(message.source, source);
    source.connection = this.connection;
    const slackS = !message.online || (isLive && source.isWill) ? AGREE_S : 0;
    if (!source.status || atS >= source.statusS - slackS) {
      Object.assign(source, { status: message, statusS: Math.max(atS, source.statusS), isWill });
      if (message.online) source.upstreams = message.upstreams;
    }
    if (!isLive) return;
    source.aheadS = [...source.aheadS.slice(-2), saidS - nowS];
    source.comparedS = nowS;
    if (beganS >= source.runS || nowS > source.runHeardS + A_MINUTE_S) Object.assign(source, { runS: beganS, runHeardS: nowS });
    else if (saidS > source.runS + AGREE_S) source.doubledS = nowS; // two processes speak by one name
  }

  // The time of day. When it was set since the last look, all is to be heard again and clocks to be compared anew.
  look() {
    const nowS = this.now(), setByS = nowS - this.ticks();
    if (Math.abs(setByS - this.setByS) > STEP_S) for (const known of [this.states, this.unread, this.sources]) known.clear();
    this.setByS = setByS;
    return nowS;
  }

  // The DOT in force on a topic, of the five-minute schedule or of the hourly one. Without `dot_mw` there is nothing to act on.
  read(topic, { hourly = false } = {}) {
    const nowS = this.look(), states = [...(this.states.get(topic)?.values() ?? [])];
    const bad = (...reasons) => ({ quality: BAD, reasons, dot_mw: null, until: null, age_s: null });
    if (states.length === 0 || this.unread.get(topic) === "invalid") return bad(this.unread.get(topic) ?? "never_received");
    const holding = this.holding(topic, states), followed = holding.filter(({ dot }) => isFollowed(dot, hourly));
    const force = followed.filter(({ dot }) => seconds(dot.interval_start) <= nowS && nowS < seconds(dot.interval_end));
    const gone = within(this.withdrawn, topic); // by whoever said so once, and says it no more
    const isBack = force.some(({ dot }) => gone.has(dot.batch_uid) && revision(dot) <= gone.get(dot.batch_uid).revision);
    const isTorn = isBack || force.some(({ dot }) => holding.some(({ dot: other }) => isOtherVersion(other, dot)));
    if (isTorn || states.some((said) => this.goesBack(topic, said, nowS))) return bad("incomplete");
    if (force.length === 0) return bad("expired");
    const top = force.map(({ dot }) => dot).reduce((best, dot) => (above(dot, best) > 0 ? dot : best));
    const alike = force.filter(({ dot }) => above(dot, top) === 0);
    const last = alike.map(({ dot }) => uid(dot)).reduce((one, other) => (other > one ? other : one)); // as the gateway takes
    const first = alike.filter(({ dot }) => uid(dot) === last);
    const judged = first.map(({ dot, said }) => ({ dot, said, reasons: new Set([...this.against(said, nowS), ...own(dot)]) }));
    const best = judged.reduce((one, other) => (isBetter(other.reasons, one.reasons) ? other : one));
    const { dot, said, reasons } = best;
    const rivals = followed.filter(({ dot: other }) => above(other, top) === 0 && overlap(other, dot));
    if (rivals.some(({ dot: other }) => asked(other) !== asked(dot))) return bad("incomplete");
    const [startS, targetS, endS] = [dot.interval_start, dot.target_at, dot.interval_end].map(seconds);
    if (targetS < startS || targetS > endS) reasons.add("invalid");
    if (quality(reasons) === BAD) return bad(...reasons);
    return { quality: quality(reasons), reasons: [...reasons], dot_mw: dot.dot_mw, until: dot.interval_end, age_s: ageS(said, nowS) };
  }

  // The DOTs of each batch in its highest revision, unless that is withdrawn.
  holding(topic, states) {
    const every = states.flatMap((said) => said.message.intervals.map((dot) => ({ dot, said })));
    const of = (uid) => every.filter(({ dot }) => dot.batch_uid === uid).map(({ dot }) => revision(dot));
    const gone = states.flatMap((said) => said.message.withdrawn ?? []);
    const least = (uid) => Math.max(...gone.filter((each) => each.batch_uid === uid).map((each) => revision(each) + 1));
    return every.filter(
      ({ dot }) => revision(dot) === Math.max(...of(dot.batch_uid)) && revision(dot) >= least(dot.batch_uid),
    );
  }

  // Whether a source said more of a batch before than it says now. Then nobody can say what holds.
  goesBack(topic, said, nowS) {
    const [now, gone] = [said.message.intervals, said.message.withdrawn ?? []].map(newest);
    const mayHold = own(said.message).has("incomplete");
    return [...within(this.known, `${topic} ${said.message.source}`)].some(([uid, { revision: before, endS }]) =>
      now.has(uid) ? now.get(uid) < before : endS > nowS && (gone.has(uid) ? gone.get(uid) < before : mayHold),
    );
  }

  // What speaks against all that a message says.
  against(said, nowS) {
    const { message } = said, source = this.sources.get(message.source) ?? newSource();
    const upstreams = source.upstreams.filter((each) => each.name === "ads_dispatch");
    const status = source.connection === this.connection ? source.status : null;
    const aheadS = Math.max(...source.aheadS); // -Infinity without any
    const isBeyond = (offset) => offset == null || Math.max(Math.abs(offset), Math.abs(offset + aheadS)) > AGREE_S;
    const found = {
      broker_lost: !this.isUp || said.connection !== this.connection,
      stale: Math.abs(ageS(said, nowS)) > this.staleAfterS || (message.valid_until != null && nowS > seconds(message.valid_until)),
      source_offline: status && !status.online,
      source_failing:
        (status && !(upstreams.length > 0 && upstreams.every((each) => each.ok))) || nowS <= source.doubledS + A_MINUTE_S,
      clock_in_doubt:
        !status ||
        Math.abs(aheadS) > AGREE_S ||
        nowS > source.comparedS + COMPARED_FOR_S ||
        upstreams.some((each) => isBeyond(each.clock_offset_s)) ||
        Math.max(...claimsS(message)) > said.arrivedS + AGREE_S,
    };
    return new Set([...own(message), ...Object.keys(found).filter((reason) => found[reason])]);
  }
}

const newSource = () => ({
  status: null, statusS: -Infinity, isWill: false, connection: 0, upstreams: [], aheadS: [],
  comparedS: -Infinity, runS: -Infinity, runHeardS: -Infinity, doubledS: -Infinity,
});

const within = (map, key) => map.get(key) ?? map.set(key, new Map()).get(key);

function check(holds) {
  if (!holds) throw new Error("this is no message of its topic");
}

// A time of the bus, in seconds since 1970.
function seconds(text) {
  const at = Date.parse(text);
  check(/(Z|[+-]\d\d:\d\d)$/.test(text) && at >= Date.UTC(2000) && at < Date.UTC(2100));
  return at / 1000;
}

// How long ago CAISO said or confirmed it. A clock that is ahead makes nothing young.
function ageS({ message, arrivedS }, nowS) {
  const saidS = seconds(message.time), heardS = seconds(message.heard_at);
  return nowS - Math.min(heardS, arrivedS, arrivedS - (saidS - heardS));
}

function checkDots(message) {
  check(message.intervals.length <= MOST && (message.withdrawn ?? []).length <= MOST);
  check(own(message) && claimsS(message) && seconds(message.valid_until ?? message.heard_at));
  for (const dot of message.intervals) {
    const [startS, endS] = [dot.interval_start, dot.interval_end, dot.target_at].map(seconds);
    check(startS < endS && Number.isFinite(dot.dot_mw) && typeof dot.batch_uid === "string");
  }
}

// Every time at which something has happened.
const claimsS = (message) =>
  [message, ...message.intervals]
    .flatMap((each) => [each.time, each.heard_at, each.received_at, each.batch_received_at])
    .filter((at) => at != null)
    .map(seconds);

const revision = (item) => item.revision_no ?? 0;

// The worst level of all reasons.
const quality = (reasons) => (reasons.size === 0 ? GOOD : [...reasons].every((each) => LESS_THAN_BAD.includes(each)) ? UNCERTAIN : BAD);

const isBetter = (one, other) => quality(one) > quality(other) || (quality(one) === quality(other) && one.size < other.size);

// What a message or a DOT says against itself.
const own = ({ reasons }) => new Set((reasons ?? []).map((each) => ([...LESS_THAN_BAD, ...OF_BAD].includes(each) ? each : "incomplete")));

const isFollowed = (dot, hourly) => (hourly ? [HOURLY, EXCEPTIONAL].includes(dot.batch_type) : dot.batch_type !== HOURLY);

const uid = (dot) => String(dot.instruction_uid ?? "");

// Of each batch the highest revision that a message has.
function newest(parts) {
  const found = new Map();
  for (const each of parts) found.set(each.batch_uid, Math.max(revision(each), found.get(each.batch_uid) ?? -Infinity));
  return found;
}

// Of several DOTs in force the one that CAISO received last counts, then the highest revision: above 0 where `dot` is that.
function above(dot, other) {
  const [atS, otherS] = [dot, other].map(({ batch_received_at: at }) => (at == null ? -Infinity : seconds(at)));
  return atS === otherS ? revision(dot) - revision(other) : atS > otherS ? 1 : -1;
}

const asked = (dot) => JSON.stringify(ASKS.map((name) => dot[name] ?? null));

// Whether two sources say one instruction differently.
function isOtherVersion(one, other) {
  const words = (dot) => JSON.stringify(Object.entries(dot).filter(([name, said]) => name !== "reasons" && said !== null).sort());
  return one.batch_uid === other.batch_uid && one.instruction_uid === other.instruction_uid && words(one) !== words(other);
}

const overlap = (one, other) =>
  Math.max(...[one, other].map((dot) => seconds(dot.interval_start))) < Math.min(...[one, other].map((dot) => seconds(dot.interval_end)));
