// The stream, and whether it lives. The page's own clock decides that, one that nobody sets: a frozen page never looks live.
const SILENT_AFTER_S = 4; // the console speaks each second
const WATCH_MS = 250;
const AGAIN_MS = 1000;

export class Live {
  // told: called with (parts, changed keys) after each event; liveness: with (isLive, words) when that changes and each second.
  constructor(plant, told, liveness) {
    this.told = told;
    this.liveness = liveness;
    this.parts = {};
    this.heardAt = performance.now();
    this.offset = 0; // the console's clock less ours, seconds
    this.isOpen = false;
    this.wasSaid = "";
    this.address = plant ? `/events?plant=${encodeURIComponent(plant)}` : "/events";
    this.follow();
    setInterval(() => this.watch(), WATCH_MS);
  }

  follow() {
    const source = new EventSource(this.address);
    source.addEventListener("picture", (event) => this.take(event, true));
    source.addEventListener("changes", (event) => this.take(event, false));
    source.addEventListener("error", () => {
      this.isOpen = false;
      this.watch();
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.again(), AGAIN_MS);
    });
  }

  // A browser asks no more where it was refused: that the session is over, or that too many pages are open.
  async again() {
    const answer = await fetch("/session").catch(() => null);
    if (answer?.status === 401) location.reload(); // which leads to where one signs in, and back
    else this.follow();
  }

  take(event, isWhole) {
    const { at, parts } = JSON.parse(event.data);
    this.heardAt = performance.now();
    this.isOpen = true;
    this.offset = at - Date.now() / 1000;
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
    this.told(this.parts, changed);
  }

  get now() { return Date.now() / 1000 + this.offset; }

  watch() {
    const silent = (performance.now() - this.heardAt) / 1000;
    const isLive = this.isOpen && silent < SILENT_AFTER_S;
    const said = isLive ? "Live" : `No word from the console for ${Math.floor(silent)} s. What is shown is old.`;
    if (said === this.wasSaid) return;
    this.wasSaid = said;
    this.liveness(isLive, said);
  }
}
