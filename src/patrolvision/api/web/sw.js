/** Keeps the page's own files on the device, so that it opens where there is no connection. Nothing of the office's data is kept
 * here: what a crew needs meanwhile the page keeps itself. FILES and VERSION are put before this text by the server. */

/* global FILES, VERSION */
const CACHE = `pv-shell-${VERSION}`;
const PATIENCE_MS = 4000; // a connection that answers more slowly than this is none

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("pv-shell-") && name !== CACHE;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});

async function kept(path) {
  return (await caches.open(CACHE)).match(path);
}

/** What the server says, if it says so soon; else the file as it was kept. */
async function answered(request, path) {
  const asked = fetch(request);
  asked.catch(() => {});
  const late = new Promise((done) => { setTimeout(done, PATIENCE_MS, null); });
  const answer = await Promise.race([asked, late]).catch(() => null);
  return answer ?? (await kept(path)) ?? asked;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  const path = request.mode === "navigate" && url.pathname === "/" ? "/" : url.pathname;
  if (FILES.includes(path)) event.respondWith(answered(request, path));
});
