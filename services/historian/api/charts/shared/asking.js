"use strict";
// Asks the API under whose address this page is. The key stays in this tab: sessionStorage, and nowhere else.
const API = location.pathname.replace(/\/charts\/.*$/, "");
const KEY = "dotbus-api-key";
const PAGE_ROWS = 10000;
const WAIT_MOST_S = 30;

class Problem extends Error {}

async function ask(path, parameters, signal) {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") said.append(name, one);
  }
  const key = sessionStorage.getItem(KEY);
  const headers = key ? { Accept: "application/json", Authorization: `Bearer ${key}` } : { Accept: "application/json" };
  const response = await fetch(`${API}${path}?${said}`, { headers, signal, cache: "no-store", redirect: "error", credentials: "omit" });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401) {
    sessionStorage.removeItem(KEY);
    await askForKey([problem.title, problem.detail].filter(Boolean).join(": "));
    return ask(path, parameters, signal);
  }
  const waits = Number(response.headers.get("Retry-After"));
  if (response.status === 429 && waits > 0 && waits <= WAIT_MOST_S) {
    await new Promise((resolve) => setTimeout(resolve, waits * 1000));
    signal?.throwIfAborted();
    return ask(path, parameters, signal);
  }
  throw new Problem(`${problem.title ?? `HTTP status ${response.status}`}: ${problem.detail ?? "no reason was told"}`);
}

async function allRows(path, parameters, signal) {
  const rows = [];
  let page = null;
  do {
    const told = await ask(path, { ...parameters, limit: PAGE_ROWS, page }, signal);
    rows.push(...told.rows);
    page = told.next;
    document.getElementById("busy").textContent = page ? `${rows.length} rows so far` : "";
  } while (page);
  return rows;
}

let keyAsked = null;
function askForKey(why) {
  keyAsked ??= new Promise((resolve) => {
    const dialog = document.getElementById("key");
    dialog.querySelector("p").textContent = why ?? "";
    dialog.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, dialog.querySelector("input").value.trim());
      dialog.querySelector("input").value = "";
      dialog.close();
      keyAsked = null;
      resolve();
    };
    dialog.oncancel = (event) => event.preventDefault(); // nothing can be shown without one
    dialog.showModal();
  });
  return keyAsked;
}

// One question at a time: a newer one ends the one before.
let asking = new AbortController();
async function showing(work) {
  asking.abort();
  const mine = (asking = new AbortController());
  const alarm = document.getElementById("alarm");
  alarm.hidden = true;
  document.getElementById("busy").textContent = "asking";
  document.body.dataset.state = "asking";
  try {
    await work(mine.signal);
    document.body.dataset.state = "shown";
  } catch (error) {
    if (mine.signal.aborted) return;
    alarm.textContent = `\u25b2 ${error instanceof Problem ? error.message : `The API was not reached: ${error.message}`}`;
    alarm.hidden = false;
    document.body.dataset.state = "failed";
  } finally {
    if (mine === asking) document.getElementById("busy").textContent = "";
  }
}
