// Judges histories by the example in docs/examples/node, for tests: a JSON list of histories comes in, a list of readings goes out.

import { readFileSync } from "node:fs";
import { Dots } from "../docs/examples/node/dots.mjs";

function judged({ accepted, stale_after_s: staleAfterS, happens, ask }) {
  let nowS = Date.parse((happens[0] ?? ask).at) / 1000;
  let setByS = 0;
  const dots = new Dots(accepted, { staleAfterS, now: () => nowS, ticks: () => nowS - setByS });
  for (const event of happens) {
    nowS = Date.parse(event.at) / 1000;
    if ("connected" in event) dots.turn(event.connected);
    else if ("set_by_s" in event) setByS += event.set_by_s;
    else dots.take(event.topic, Buffer.from(event.payload), event.retained);
  }
  nowS = Date.parse(ask.at) / 1000;
  return dots.read(ask.topic, { hourly: ask.schedule === "hourly" });
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(judged)));
