/** What a crew has done while there was no connection: kept on the phone, sent when there is one. */

import { freshKey, isPassing, write } from "./api.js";
import { sendPhoto } from "./moves.js";
import { renew } from "./session.js";

const AGAIN_MS = 15_000;
const listeners = new Set();
let waiting = [];
let isSending = false;
let database = null;

function opened() {
  database ??= new Promise((done, failed) => {
    const ask = indexedDB.open("patrolvision", 1);
    ask.onupgradeneeded = () => ask.result.createObjectStore("outbox", { keyPath: "key" });
    ask.onsuccess = () => done(ask.result);
    ask.onerror = () => failed(ask.error);
  });
  return database;
}

async function stored(mode, act) {
  const store = (await opened()).transaction("outbox", mode).objectStore("outbox");
  return new Promise((done, failed) => {
    const ask = act(store);
    ask.onsuccess = () => done(ask.result);
    ask.onerror = () => failed(ask.error);
  });
}

const tell = (sent = null) => { for (const each of listeners) each(waiting, sent); };

/** Be told whenever what waits changes: (waiting, what was just sent or null). */
export function onOutbox(each) {
  listeners.add(each);
  return () => listeners.delete(each);
}

/** What waits: [{key, ticket_id, action, note, photo, at, who, error}], oldest first. */
export const waitingMoves = () => waiting;

/** Keep a move, with its photo, and send it as soon as that is possible. */
export async function keep(who, ticket_id, action, { note = "", photo = null } = {}) {
  const entry = { key: freshKey(), who, ticket_id, action, note, photo, at: new Date().toISOString(), error: null };
  await stored("readwrite", (store) => store.put(entry));
  waiting.push(entry);
  tell();
  await sendAll(who);
}

/** Give up a move that the server refuses. */
export async function drop(key) {
  await stored("readwrite", (store) => store.delete(key));
  waiting = waiting.filter((entry) => entry.key !== key);
  tell();
}

async function sendOne(entry) {
  const body = { action: entry.action, note: entry.note || undefined };
  if (entry.photo) body.picture_ids = [await sendPhoto(entry.ticket_id, entry.photo, { key: `${entry.key}-photo` })];
  return write("POST", `tickets/${encodeURIComponent(entry.ticket_id)}/moves`, body, { key: entry.key });
}

/** Send what this person has waiting, in order; what fails for want of a connection stays. */
async function sendAll(who) {
  if (isSending) return;
  isSending = true;
  try {
    if (waiting.some((each) => each.who === who && !each.error) && !(await renew())) return;
    for (const entry of waiting.filter((each) => each.who === who && !each.error)) {
      try {
        const ticket = await sendOne(entry);
        await stored("readwrite", (store) => store.delete(entry.key));
        waiting = waiting.filter((each) => each.key !== entry.key);
        tell(ticket);
      } catch (error) {
        if (isPassing(error) || error.status === 401) break;
        entry.error = error.message;
        await stored("readwrite", (store) => store.put(entry));
        tell();
      }
    }
  } finally {
    isSending = false;
  }
}

/** Read what was kept before, and try again now and then; answers a function that ends it. */
export async function startOutbox(who) {
  waiting = (await stored("readonly", (store) => store.getAll())).sort((a, b) => a.at.localeCompare(b.at));
  tell();
  const again = () => sendAll(who);
  addEventListener("online", again);
  const timer = setInterval(again, AGAIN_MS);
  again();
  return () => { removeEventListener("online", again); clearInterval(timer); };
}
