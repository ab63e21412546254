"use strict";
// The page: what the form shows, and what its buttons do.
async function showPlant(signal) {
  if (!resources.length) await fillResources(signal);
  const told = asked();
  if (!told.resource) throw new Problem(`The plant ${plant} has no resource that is known.`);
  const [from, to] = [midnight(told.start), midnight(dayAfter(told.end))];
  const answer = await answers(told, from, to, signal);
  tell(told, answer, draw(told, answer, from, to), from, to);
}

function show() {
  const { start, end } = form.elements;
  if (end.value < start.value) end.value = start.value;
  return showing(async (signal) => { await showPlant(signal); writeAddress(form); });
}

element("title").textContent = `Plant ${plant}`;
document.title = `${plant} \u00b7 dotbus`;
form.elements.start.value = form.elements.end.value = today();
readAddress(form);
form.onsubmit = (event) => { event.preventDefault(); show(); };
form.onchange = () => show();
zoomButtons(() => shown.charts, () => shown.whole);
tableButtons(() => shown);
show();
