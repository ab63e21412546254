"use strict";
// The page: what the form shows, and what its buttons do.
const VIEWS = { range: showRange, days: showDays, duration: showDuration, heat: showMonth };
const LABELS = { range: ["From", "To, and with it"], days: ["Day", "Other day"], duration: ["From", "To, and with it"], heat: ["A day of the month", ""] };

function show() {
  const told = asked();
  const { view, nodes } = told;
  element("start-label").firstChild.textContent = LABELS[view][0];
  element("end-label").firstChild.textContent = LABELS[view][1];
  element("end-label").hidden = element("resolution-label").hidden = view === "heat";
  element("component-label").hidden = view === "range" && nodes.length === 1;
  writeAddress(form);
  const why = whyNot(told);
  showing(why ? () => { throw new Problem(why); } : VIEWS[view]);
}

async function suggestNodes() {
  const text = nodesOf(form.elements.node.value).at(-1) ?? "";
  if (text.length < 2) return;
  const told = await ask("/v1/nodes", { name: text, limit: 50 }).catch(() => ({ rows: [] }));
  element("nodes").replaceChildren();
  for (const { node } of told.rows) make("option", "", element("nodes"), { value: node });
}

form.elements.start.value = form.elements.end.value = today();
readAddress(form);
form.onsubmit = (event) => { event.preventDefault(); show(); };
form.onchange = (event) => event.target.name !== "node" && show();
form.elements.node.oninput = () => suggestNodes();
zoomButtons(() => (shown.chart ? [shown.chart] : []), () => shown.whole);
tableButtons(() => shown);
show();
