/** Changes as they happen: one stream of server-sent events, taken up again whenever it breaks. */

const listeners = new Set();
const watchers = new Set();
let source = null;
let state = "off";
let wait_ms = 1000;
let timer = 0;
let last = null; // id of the last event: where to go on

function become(next) {
  if (next === state) return;
  state = next;
  for (const tell of watchers) tell(state);
}

function heard(event) {
  let change = {};
  last = event.lastEventId || last;
  try { change = JSON.parse(event.data); } catch { return; }
  for (const tell of listeners) tell(change);
}

function open() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(last ? `/api/v1/events?after=${last}` : "/api/v1/events");
  for (const name of ["ticket.changed", "ticket.gone", "reset"]) source.addEventListener(name, heard);
  source.onopen = () => {
    if (state === "waiting" && !last) for (const tell of listeners) tell({}); // what was missed is not known
    wait_ms = 1000;
    become("live");
  };
  source.onerror = () => {
    become("waiting");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    timer = setTimeout(open, wait_ms);
    wait_ms = Math.min(wait_ms * 2, 30_000);
  };
}

/** "off", "waiting" or "live". */
export const liveState = () => state;

/** Be told of changes: {ticket_id, state, version}, or {} when anything may have changed. */
export function onChange(tell) {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

/** Be told when the stream comes and goes. */
export const onLive = (tell) => watchers.add(tell);

/** Begin, or begin again after a sign-in; without leave to read, end. */
export function startLive(mayRead) {
  clearTimeout(timer);
  if (mayRead) {
    open();
    addEventListener("online", open);
  } else {
    source?.close();
    removeEventListener("online", open);
    become("off");
  }
}
