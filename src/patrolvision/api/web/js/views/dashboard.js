/** The dashboard: a period's report as figures and charts, and how many tickets stand at which step now. */

import { get, page } from "../api.js";
import { namedBars, ring, timeBars } from "../charts.js";
import { calm, el, icon, put } from "../dom.js";
import { filter } from "../filters.js";
import { day, duration, language, number, percent, t, when } from "../i18n.js";
import { onChange } from "../live.js";
import { categoryChip, categoryName, causeName, STEPS, stateName } from "../words.js";

const PERIODS = ["day", "week", "month", "year"];
const MOST_ROWS = 8;
const RECENT_DAYS = 31;
const kept = { period: "month", date: null };

const isoDate = (at) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
const hours = (h) => (h === null || h === undefined ? "–" : duration(h * 3600));

/** Today, or the day of the newest ticket where nothing has been found for a month. */
async function firstDate() {
  const { rows } = await page("tickets", { limit: 1, sort: "newest" }).catch(() => ({ rows: [] }));
  const newest = rows[0] ? new Date(rows[0].opened_at) : new Date();
  return isoDate(Date.now() - newest > RECENT_DAYS * 86_400_000 ? newest : new Date());
}

function stepped(date, period, by) {
  const at = new Date(`${date}T12:00:00`);
  if (period === "year") at.setFullYear(at.getFullYear() + by);
  else if (period === "month") at.setMonth(at.getMonth() + by, 1);
  else at.setDate(at.getDate() + by * (period === "week" ? 7 : 1));
  return isoDate(at);
}

function figure(value, words, css = "") {
  return el("div", { class: `figure ${css}` }, el("b", {}, value), el("span", {}, words));
}
const card = (width, title, ...children) => el("section", { class: `card ${width}` }, el("h2", {}, title), children);
const nothing = () => el("p", { class: "soft small" }, t("dash.nothing"));
const only = (report, kind) => report.rows.filter((row) => row.kind === kind);

function headline(all) {
  return el("div", { class: "figures" },
    figure(number(all.found), t("dash.found")), figure(number(all.solved), t("dash.solved")), figure(number(all.open_at_end), t("dash.open")),
    figure(number(all.overdue_at_end), t("dash.overdue"), all.overdue_at_end ? "bad" : ""), figure(hours(all.median_solve_h), t("dash.median")),
    all.km_observed ? figure(`${number(all.km_observed, 1)} km`, t("dash.km")) : figure(percent(all.false_rate), t("dash.false")));
}

function labelOf(label, period) {
  if (period === "day") return label;
  if (period === "year") return label.slice(5);
  return label.replace("-", "/");
}
const overTime = (report) => card("w-8", t("dash.overtime"), timeBars({
  title: t("dash.overtime"), labels: report.series.map((b) => labelOf(b.label, report.period)),
  series: [{ name: t("dash.found"), css: "", values: report.series.map((b) => b.found) }, { name: t("dash.solved"), css: "solved", values: report.series.map((b) => b.solved), isLine: true }],
}));
function rates(report, all) {
  const rows = only(report, "category").filter((row) => row.found).sort((a, b) => b.found - a.found);
  return card("w-4", t("dash.rates"), el("div", { class: "rings" },
    ring({ title: t("dash.completion"), share: all.completion_rate }), ring({ title: t("dash.intime"), share: all.in_time_rate, css: "solved" }), ring({ title: t("dash.false"), share: all.false_rate, css: "open_fire" })),
  el("h2", {}, t("dash.category")), rows.length ? namedBars({ title: t("dash.category"), items: rows.map((row) => ({ name: categoryName(row.key), value: row.found, css: row.key })) }) : nothing());
}
function falseAlarms(report) {
  const byCause = {};
  for (const one of report.false_alarms) byCause[one.cause] = (byCause[one.cause] ?? 0) + one.count;
  const items = Object.entries(byCause).sort((a, b) => b[1] - a[1]).map(([cause, n]) => ({ name: cause ? causeName(cause) : t("dash.unstated"), value: n, css: "open_fire" }));
  return card("w-6", t("dash.causes"), items.length ? namedBars({ title: t("dash.causes"), items }) : nothing());
}

function showOnMap(state) {
  Object.assign(filter(), { states: [state], inView: false });
  location.hash = "#/map";
}
function atSteps(stats) {
  const counts = stats.tickets.by_state;
  const most = Math.max(...STEPS.map((s) => counts[s] ?? 0), 1);
  return card("w-6", t("dash.now"), el("ol", { class: "named-bars" }, STEPS.map((state, k) => el("li", {},
    el("button", { type: "button", class: "bar-link", on: { click: () => showOnMap(state) } }, `${k + 1} ${stateName(state)}`),
    el("span", { class: "bar-track", "aria-hidden": "true" }, el("i", { css: { width: `${((counts[state] ?? 0) / most) * 100}%` } })),
    el("b", { class: "num" }, number(counts[state] ?? 0))))));
}

function table(head, rows) {
  return el("div", { class: "scroll-x" }, el("table", { class: "dash-table" },
    el("thead", {}, el("tr", {}, head.map((h, k) => el("th", { scope: "col", class: k ? "end" : "" }, h)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, k) => el("td", { class: k ? "end" : "" }, cell)))))));
}
function league(report, kind, width) {
  const rows = only(report, kind).filter((row) => row.found || row.solved || row.open_at_end).sort((a, b) => (b.score ?? -1) - (a.score ?? -1) || b.found - a.found).slice(0, MOST_ROWS);
  const head = ["", t("dash.found"), t("dash.solved"), t("dash.open"), t("dash.intime"), t("dash.median"), t("dash.score")];
  return card(width, t(`dash.by.${kind}`), rows.length ? table(head, rows.map((r) => [r.name || r.key, number(r.found), number(r.solved), number(r.open_at_end), percent(r.in_time_rate), hours(r.median_solve_h), r.score === null ? "–" : number(r.score, 1)])) : nothing());
}
function hotSpots(report) {
  const rows = report.hot_spots.slice(0, MOST_ROWS);
  return card("w-12", t("dash.hot"), rows.length ? table([t("filter.category"), t("dash.times"), t("fact.grid"), t("dash.last")], rows.map((spot) => [
    el("a", { href: `#/map/${encodeURIComponent(spot.ticket_ids.at(-1))}` }, categoryChip(spot.category)), number(spot.times), [spot.unit_grid, spot.segment].filter(Boolean).join(" · ") || "–", when(spot.last_found)])) : nothing());
}

function span(report) {
  return report.first === report.last ? day(report.first) : `${day(report.first)} – ${day(report.last)}`;
}

/** Open the view. */
export function open(main) {
  const head = el("header", { class: "dash-head" });
  const body = el("div", { class: "stack dash-body" });
  let asking = null;
  let isGone = false;
  main.append(el("div", { class: "dashboard" }, head, body));

  const become = (next) => { Object.assign(kept, next); drawHead(null); load(); };
  const address = (format) => `/api/v1/reports/${kept.period}/${kept.date}?format=${format}&lang=${language()}`;
  function drawHead(report) {
    put(head, el("h1", {}, t("view.dashboard")),
      el("div", { class: "row", role: "group", "aria-label": t("filter.period") }, PERIODS.map((p) => el("button", { type: "button", class: "toggle", "aria-pressed": String(p === kept.period), on: { click: () => become({ period: p }) } }, t(`dash.${p}`)))),
      el("div", { class: "row" },
        el("button", { type: "button", class: "square quiet", "aria-label": t("dash.before"), on: { click: () => become({ date: stepped(kept.date, kept.period, -1) }) } }, icon("back")),
        el("input", { type: "date", class: "dash-date", value: kept.date ?? "", "aria-label": t("dash.date"), on: { change: (e) => e.target.value && become({ date: e.target.value }) } }),
        el("button", { type: "button", class: "square quiet", "aria-label": t("dash.after"), on: { click: () => become({ date: stepped(kept.date, kept.period, 1) }) } }, icon("next"))),
      report ? el("span", { class: "soft small num" }, span(report)) : null,
      el("span", { class: "grow" }),
      el("div", { class: "row" }, ["html", "csv", "xlsx"].map((format) => el("a", { class: "button small", href: address(format), target: format === "html" ? "_blank" : null, rel: "noopener" }, icon("doc"), format === "html" ? t("dash.report") : format.toUpperCase()))));
  }
  function draw(report, stats) {
    const all = only(report, "all")[0];
    put(body, headline(all), el("div", { class: "dash-grid" }, overTime(report), rates(report, all), atSteps(stats), falseAlarms(report), league(report, "responsible_grid", "w-6"), league(report, "crew", "w-6"), hotSpots(report)));
  }
  async function load() {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      kept.date ??= await firstDate();
      const [report, stats] = await Promise.all([get(`reports/${kept.period}/${kept.date}`, { format: "json" }, { signal }), get("stats", {}, { signal })]);
      if (isGone || signal.aborted) return;
      drawHead(report);
      draw(report, stats);
    } catch (error) {
      if (error.name === "AbortError" || isGone) return;
      put(body, el("p", { class: "empty", role: "alert" }, error.message || t("problem.unreachable")));
    }
  }

  drawHead(null);
  put(body, el("p", { class: "soft", role: "status" }, t("loading")));
  const quiet = onChange(calm(load, 3000));
  load();
  return { update() {}, close() { isGone = true; asking?.abort(); quiet(); } };
}
