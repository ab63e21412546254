// A card for each resource: what CAISO asks now and next, what it comes to, what is done and earned.
import { clockTime, make, mark, number, pageOf, say, signed, span } from "./showing.js";

class Value {
  constructor(label, unit, digits = 1) {
    this.digits = digits;
    this.number = make("span", { class: "number" });
    this.why = make("span", { class: "why" });
    this.element = make("div", { class: "value" }, make("span", { class: "label" }, label), make("span", {}, this.number, make("span", { class: "unit" }, ` ${unit}`)), this.why);
  }

  show(shown) {
    mark(this.element, "data-level", shown ? shown.level : "none");
    say(this.number, number(shown?.value, this.digits));
    say(this.why, shown ? (shown.level === "good" ? "" : signed(shown.level, shown.words)) : "not told");
  }
}

export class Card {
  constructor() {
    this.name = make("h3");
    this.state = make("p", { class: "state" });
    this.dot = make("span", { class: "number" });
    this.times = make("p", { class: "times" });
    this.bar = make("div", { class: "run" });
    this.track = make("div", { class: "track", role: "progressbar", "aria-label": "How much of the interval of the DOT is over", "aria-valuemin": "0", "aria-valuemax": "100" }, this.bar);
    this.next = make("p", { class: "next" });
    this.values = { set_point: new Value("Set-point now", "MW"), trajectory: new Value("Trajectory", "MW"), actual: new Value("Actual", "MW"), price: new Value("Price now", "$/MWh", 2) };
    this.priceOf = make("p", { class: "of" });
    this.element = make("article", { class: "card" },
      make("div", { class: "head" }, this.name, this.state),
      make("p", { class: "dot" }, make("span", { class: "label" }, "DOT in force"), this.dot, make("span", { class: "unit" }, " MW")),
      this.times, this.track, this.next,
      make("div", { class: "values" }, ...Object.values(this.values).map((one) => one.element)),
      this.priceOf);
  }

  show(part) {
    this.part = part;
    mark(this.element, "data-level", part.level);
    say(this.name, part.resource);
    say(this.state, signed(part.level, part.words));
    mark(this.state, "data-level", part.level);
    say(this.dot, number(part.dot.mw.value, 1));
    for (const [name, value] of Object.entries(this.values)) value.show(part[name]);
    this.values.actual.element.hidden = part.actual === null;
    this.values.trajectory.element.hidden = part.trajectory.level === "bad" && part.trajectory.words.startsWith("no trajectory was ever");
    this.values.price.element.hidden = part.price === null;
    say(this.priceOf, part.price_of ? `Price of ${part.price_of}` : "");
  }

  // Each second, and oftener: the bar runs by the console's clock.
  run(now) {
    const { dot, next_dot: next } = this.part;
    if (dot.start === null || dot.mw.value === null) {
      say(this.times, "No interval is in force.");
      this.bar.style.transform = "scaleX(0)";
      mark(this.track, "aria-valuenow", "0");
    } else {
      const done = Math.min(Math.max((now - dot.start) / (dot.end - dot.start), 0), 1);
      say(this.times, `${clockTime(dot.start)}–${clockTime(dot.end)}, ${span(dot.end - now)} left`);
      this.bar.style.transform = `scaleX(${done.toFixed(4)})`;
      mark(this.track, "aria-valuenow", String(Math.round(done * 100)));
    }
    say(this.next, next.start === null ? "No next DOT is known." : `Next ${number(next.mw.value, 1)} MW from ${clockTime(next.start)}`);
  }
}

// The cards of all resources shown, grouped by plant, in the order of the console.
export class Resources {
  constructor(host, linked) {
    this.host = host;
    this.linked = linked;
    this.cards = new Map();
    this.groups = new Map();
  }

  show(parts, changed) {
    for (const key of changed) {
      if (!key.startsWith("resource/")) continue;
      if (parts[key]) this.showOne(key, parts[key]);
      else this.drop(key);
    }
  }

  showOne(key, part) {
    let card = this.cards.get(key);
    if (!card) {
      card = new Card();
      this.cards.set(key, card);
      this.group(part.plant).append(card.element);
    }
    card.show(part);
  }

  group(plant) {
    if (!this.groups.has(plant)) {
      const title = make("h2", {}, this.linked ? make("a", { href: pageOf(plant) }, plant) : plant);
      const cards = make("div", { class: "cards" });
      this.host.append(make("div", { class: "plant" }, title, cards));
      this.groups.set(plant, cards);
    }
    return this.groups.get(plant);
  }

  drop(key) {
    this.cards.get(key)?.element.remove();
    this.cards.delete(key);
  }

  run(now) { for (const card of this.cards.values()) card.run(now); }
}
