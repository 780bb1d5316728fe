/** The page without a connection: a service worker keeps its files, this says when there are newer ones. */

/** Keep the page's files on this device, where the browser can. */
export function keepShell() {
  if (!("serviceWorker" in navigator) || !window.isSecureContext) return;
  navigator.serviceWorker.register("/sw.js", { updateViaCache: "none" }).catch(() => {}); // private windows have none
}
