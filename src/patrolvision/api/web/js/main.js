/** The page: its bar, its views by address (#/map, #/review, #/dashboard, #/crew), and who is signed in. */

import { askSetUp, askSignIn, accountButton } from "./account.js";
import { onOutside } from "./api.js";
import { el, icon, put, toast } from "./dom.js";
import { language, onLanguage, speak, t } from "./i18n.js";
import { liveState, onLive, startLive } from "./live.js";
import { findSession, may, officeSettings, onSession, renew, session } from "./session.js";
import { keepShell } from "./shell.js";
import { nextTheme, onTheme, startTheme, theme } from "./theme.js";
import { learnCategories } from "./words.js";

const VIEWS = {
  map: { icon: "map", load: () => import("./views/map.js"), shown: () => true },
  review: { icon: "review", load: () => import("./views/review.js"), shown: () => !session() || may("reviewer", "dispatcher") },
  dashboard: { icon: "chart", load: () => import("./views/dashboard.js"), shown: () => session()?.role !== "crew" },
  crew: { icon: "crew", load: () => import("./views/crew.js"), shown: () => may("crew", "dispatcher") },
};
const GATE = { icon: "user", load: () => import("./views/gate.js"), shown: () => false }; // nothing may be read
const bar = document.getElementById("bar");
const main = document.getElementById("main");
let current = null; // { name, params, close, update }
let turn = 0;

function address() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const known = name in VIEWS ? name : session()?.role === "crew" ? "crew" : "map";
  return { name: known, id: rest.length ? decodeURIComponent(rest.join("/")) : null, search: new URLSearchParams(search) };
}

const liveMark = el("span", { class: "live", role: "status" });
const tabs = el("nav", { class: "tabs" });

function drawLive() {
  const state = liveState();
  liveMark.className = `live ${state}`;
  liveMark.hidden = !officeSettings().may_read;
  put(liveMark, el("i", { "aria-hidden": "true" }), el("span", {}, t(`live.${state}`)));
}

function tab(name) {
  const on = current?.name === name;
  return el("a", { href: `#/${name}`, class: "tab", "aria-current": on ? "page" : null }, icon(VIEWS[name].icon), el("span", {}, t(`view.${name}`)));
}

function drawTabs() {
  document.title = `${t(`view.${current?.name ?? "map"}`)} · patrolvision`;
  tabs.setAttribute("aria-label", t("views"));
  put(tabs, Object.keys(VIEWS).filter((name) => officeSettings().may_read && VIEWS[name].shown()).map(tab));
}

/** The whole bar: after a change of language, colours or person; what changes more often has its own node. */
function drawBar() {
  const other = language() === "zh" ? "en" : "zh";
  put(document.getElementById("skip"), t("skip"));
  drawTabs();
  drawLive();
  put(bar,
    el("a", { class: "brand", href: "#/map", "aria-label": "patrolvision" }, el("img", { src: "/web/icon.svg", alt: "", width: 26, height: 26 }), el("span", {}, "patrolvision")),
    tabs,
    el("div", { class: "tools" },
      liveMark,
      el("button", { type: "button", class: "quiet lang", lang: other === "zh" ? "zh-CN" : "en", "aria-label": t("language.switch"), on: { click: () => speak(other, true) } }, other === "zh" ? "中文" : "EN"),
      el("button", { type: "button", class: "quiet square", "aria-label": t(`theme.${theme()}`), title: t(`theme.${theme()}`), on: { click: nextTheme } }, icon({ auto: "auto", light: "sun", dark: "moon" }[theme()])),
      accountButton()));
}

async function show() {
  const setup = /^#setup=(.+)$/.exec(location.hash);
  if (setup) {
    history.replaceState(null, "", "#/map"); // the token leaves the address at once
    askSetUp(decodeURIComponent(setup[1]));
  }
  const wanted = address();
  if (current?.name === wanted.name && current.update) {
    current.update(wanted);
    drawTabs();
    return;
  }
  const mine = (turn += 1);
  const isOpen = officeSettings().may_read && !setup;
  const view = await (isOpen ? VIEWS[wanted.name] : GATE).load();
  if (mine !== turn) return;
  current?.close?.();
  current = { name: wanted.name };
  main.className = `view-${isOpen ? wanted.name : "gate"}`;
  put(main);
  Object.assign(current, view.open(main, wanted));
  drawTabs();
}

/** Open the current view anew: its words or its reader have changed. */
function again() {
  current?.close?.();
  current = null;
  drawBar();
  show();
}

async function start() {
  startTheme();
  await speak();
  await findSession();
  if (officeSettings().may_read) await learnCategories();
  onLanguage(again);
  onTheme(drawBar);
  onSession(async () => {
    startLive(officeSettings().may_read);
    if (officeSettings().may_read) await learnCategories();
    again();
  });
  onLive(drawLive);
  onOutside(() => session() && askSignIn()); // a session that has ended
  addEventListener("hashchange", show);
  addEventListener("unhandledrejection", (event) => { if (event.reason?.status !== undefined) { toast(event.reason.message || t("problem.unreachable"), { bad: true }); event.preventDefault(); } });
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  drawBar();
  startLive(officeSettings().may_read);
  addEventListener("online", renew);
  await show();
  keepShell();
}

start();
