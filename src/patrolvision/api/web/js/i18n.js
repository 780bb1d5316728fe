/** Words in two languages, and numbers, times and distances as that language writes them. */

const KNOWN = ["zh", "en"];
const listeners = new Set();
let words = {};
let now = "en";

/** The language the page speaks: "zh" or "en". */
export const language = () => now;

function preferred() {
  const kept = localStorage.getItem("pv-language");
  if (KNOWN.includes(kept)) return kept;
  return navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Load a language (the remembered one, or the browser's) and tell everybody. */
export async function speak(name = preferred(), remember = false) {
  const answer = await fetch(`/web/i18n/${name}.json`);
  words = await answer.json();
  now = name;
  document.documentElement.lang = name === "zh" ? "zh-CN" : "en";
  if (remember) localStorage.setItem("pv-language", name);
  for (const tell of listeners) tell(name);
}

/** Be told when the language changes. */
export const onLanguage = (tell) => listeners.add(tell);

/** The phrase for a key, with {names} filled in; a key without a phrase shows itself. */
export function t(key, given = {}) {
  const phrase = words[key] ?? key;
  return phrase.replace(/\{(\w+)\}/g, (_, name) => given[name] ?? "");
}

/** The phrase for a key, or the other text where there is none. */
export const tOr = (key, other) => words[key] ?? other;

const locale = () => (now === "zh" ? "zh-CN" : "en-GB");

/** "4 May 08:00", with the year where it is not this one. */
export function when(iso) {
  if (!iso) return "–";
  const at = new Date(iso);
  const year = at.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return at.toLocaleString(locale(), { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false, ...year });
}

/** "08:00:02". */
export const clock = (iso) => new Date(iso).toLocaleTimeString(locale(), { hour12: false });

/** "4 May". */
export const day = (iso) => new Date(iso).toLocaleDateString(locale(), { month: "short", day: "numeric" });

/** "in 3 h", "2 d ago". */
export function fromNow(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const [unit, size] = Math.abs(seconds) < 5400 ? ["minute", 60] : Math.abs(seconds) < 129600 ? ["hour", 3600] : ["day", 86400];
  return new Intl.RelativeTimeFormat(locale(), { numeric: "always", style: "short" }).format(Math.round(seconds / size), unit);
}

/** "1.2 h" from seconds. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 5400) return t("unit.minutes", { n: number(seconds / 60) });
  if (seconds < 129600) return t("unit.hours", { n: number(seconds / 3600, 1) });
  return t("unit.days", { n: number(seconds / 86400, 1) });
}

/** A number with the language's separators. */
export const number = (value, digits = 0) =>
  Number(value ?? 0).toLocaleString(locale(), { maximumFractionDigits: digits });

/** "87 %"; a dash where nothing was counted. */
export const percent = (share) => (share === null || share === undefined ? "–" : `${number(share * 100, share < 0.1 ? 1 : 0)} %`);

/** "35 m", "1.4 km". */
export const distance = (metres) =>
  metres < 950 ? `${number(metres, metres < 10 ? 1 : 0)} m` : `${number(metres / 1000, 1)} km`;
