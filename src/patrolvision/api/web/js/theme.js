/** Light, dark, or as the system wishes; remembered. */

const ORDER = ["auto", "light", "dark"];
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");

/** "auto", "light" or "dark". */
export const theme = () => document.documentElement.dataset.theme;

function show(name) {
  document.documentElement.dataset.theme = name;
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

/** Be told when colours change. */
export const onTheme = (tell) => listeners.add(tell);

/** A token's colour as the browser has worked it out, e.g. colour("fire") -> "rgb(197, 48, 26)". */
export function colour(token) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
