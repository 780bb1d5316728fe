/** Light, dark, or as the system wishes; remembered. */

const ORDER = ["auto", "light", "dark"];
const listeners = new Set();
const worked = new Map(); // token -> colour, as long as the theme stays
const system = matchMedia("(prefers-color-scheme: dark)");

/** "auto", "light" or "dark". */
export const theme = () => document.documentElement.dataset.theme;

function show(name) {
  document.documentElement.dataset.theme = name;
  worked.clear();
  for (const tell of listeners) tell();
}

/** Show the theme that was chosen last time. */
export function startTheme() {
  const kept = localStorage.getItem("pv-theme");
  show(ORDER.includes(kept) ? kept : "auto");
  system.addEventListener("change", () => show(theme()));
}

/** Go on to the next of the three. */
export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length];
  localStorage.setItem("pv-theme", next);
  show(next);
}

/** Be told when colours change; answers a function that ends it. */
export function onTheme(tell) {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

/** A token's colour as the browser has worked it out, e.g. colour("fire") -> "rgb(197, 48, 26)". */
export function colour(token) {
  if (!worked.has(token)) {
    const probe = document.createElement("i");
    probe.style.color = `var(--${token})`;
    document.body.append(probe);
    worked.set(token, getComputedStyle(probe).color);
    probe.remove();
  }
  return worked.get(token);
}
