// The stream, and whether it lives. The page's own clocks decide that: a frozen page never looks live.
const SILENT_AFTER_S = 4; // the console speaks each second
const WATCH_MS = 250;
const AGAIN_MS = 1000;
const DRIFT = 0.001; // by how much one clock may run faster than another

export class Live {
  // told: called with (parts, changed keys, whether this is the whole) after each event; liveness: with (isLive, words) when that changes.
  constructor(plant, told, liveness) {
    this.told = told;
    this.liveness = liveness;
    this.parts = {};
    this.at = null; // the console's clock at the last event
    this.heard = times();
    this.late = 0; // for how long that event was on its way, seconds
    this.soonest = Infinity; // the least that our clock was ever ahead of the console's, neither of which anybody sets
    this.isOpen = this.isFaulty = false;
    this.wasSaid = "";
    this.address = plant ? `/events?plant=${encodeURIComponent(plant)}` : "/events";
    document.addEventListener("visibilitychange", () => (document.hidden ? this.leave() : this.follow()));
    if (!document.hidden) this.follow();
    setInterval(() => this.watch(), WATCH_MS);
  }

  follow() {
    this.source?.close();
    const source = (this.source = new EventSource(this.address));
    source.addEventListener("open", () => { this.soonest = Infinity; });
    source.addEventListener("picture", (event) => this.take(event, true));
    source.addEventListener("changes", (event) => this.take(event, false));
    source.addEventListener("error", () => {
      this.isOpen = false;
      this.watch();
      if (source.readyState === EventSource.CLOSED) setTimeout(() => source === this.source && this.again(), AGAIN_MS);
    });
  }

  // A page that nobody sees needs no stream: a browser has six connections to a console, for all pages that are open in it.
  leave() {
    this.source?.close();
    this.isOpen = false;
    this.watch();
  }

  // A browser asks no more where it was refused: that the session is over, or that too many pages are open.
  async again() {
    const answer = await fetch("/session").catch(() => null);
    if (answer?.status === 401) location.reload(); // which leads to where one signs in, and back
    else if (!document.hidden) this.follow();
  }

  take(event, isWhole) {
    const { at, lasting, parts } = JSON.parse(event.data);
    this.measure(at, lasting);
    this.isOpen = true;
    const changed = new Set(Object.keys(parts));
    if (isWhole) {
      for (const key of Object.keys(this.parts)) changed.add(key);
      this.parts = parts;
    } else {
      for (const [key, part] of Object.entries(parts)) {
        if (part === null) delete this.parts[key];
        else this.parts[key] = part;
      }
    }
    this.watch();
    try {
      this.told(this.parts, changed, isWhole);
    } catch (error) {
      this.isFaulty = true; // for good: what was not shown is told only once
      this.watch();
      throw error;
    }
  }

  // Where the line is slow, or a page was asleep, what comes is old: it took longer than what came the soonest.
  measure(at, lasting) {
    const now = times();
    const ahead = now.lasting - lasting;
    this.soonest = Math.min(this.soonest + Math.max(now.lasting - this.heard.lasting, 0) * DRIFT, ahead);
    this.late = ahead - this.soonest;
    this.heard = now;
    this.at = at;
  }

  // One clock stands while the machine sleeps, the other is set: what is older by either is old.
  get silent() {
    const now = times();
    return Math.max(now.lasting - this.heard.lasting, now.wall - this.heard.wall) + this.late;
  }

  get now() { return this.at === null ? times().wall : this.at + this.late + times().lasting - this.heard.lasting; }

  watch() {
    const silent = this.silent;
    const isLive = this.isOpen && !this.isFaulty && silent < SILENT_AFTER_S;
    const said = isLive ? "Live" : this.isFaulty ? "This page cannot show what it is told: load it again." : `No word from the console for ${Math.floor(silent)} s. What is shown is old.`;
    if (said === this.wasSaid) return;
    this.wasSaid = said;
    this.liveness(isLive, said);
  }
}

const times = () => ({ lasting: performance.now() / 1000, wall: Date.now() / 1000 });
