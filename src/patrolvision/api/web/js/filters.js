/** What the duty officer wants to see: one value, its form, and the question it asks the server. */

import { calm, el, icon, put } from "./dom.js";
import { number, t } from "./i18n.js";
import { CATEGORIES, categoryName, otherCategories, STATES, stateName } from "./words.js";

const PERIODS = { day: 1, week: 7, month: 30 };
const NOTHING = {
  text: "", categories: [], states: [], period: "all", since: "", until: "", priorities: [], polygon: null,
  inView: true, overdue: false, closed: false, sort: "newest",
};

let chosen = { ...NOTHING };

/** The filter as it stands. */
export const filter = () => chosen;

function span({ period, since, until }) {
  if (period in PERIODS) return { since: new Date(Date.now() - PERIODS[period] * 86_400_000).toISOString() };
  if (period !== "custom") return {};
  const at = (text, end) => (text ? new Date(`${text}T${end ? "23:59:59" : "00:00:00"}`).toISOString() : null);
  return { since: at(since, false), until: at(until, true) };
}

const wkt = (ring) => `POLYGON((${[...ring, ring[0]].map(([lon, lat]) => `${lon.toFixed(7)} ${lat.toFixed(7)}`).join(",")}))`;

/** The filter as the server's parameters, without box and order. */
export function asked(f = chosen) {
  return {
    category: f.categories, state: f.states, ...span(f), text: f.text, priority: f.priorities,
    polygon: f.polygon ? wkt(f.polygon) : null, overdue: f.overdue ? true : null,
    closed: f.closed || f.text || f.states.includes("closed") || f.states.includes("rejected") ? null : false,
  };
}

/** How many of the things behind the button "Filter" are set. */
const hiddenCount = (f) =>
  f.categories.filter((c) => !CATEGORIES.includes(c)).length + f.states.length + (f.period !== "all") + f.priorities.length + Boolean(f.polygon) + f.overdue + f.closed + !f.inView;

function toggle(list, one) {
  return list.includes(one) ? list.filter((x) => x !== one) : [...list, one];
}

/** The form; `changed` is called with each new filter, `draw` when an area is to be drawn on the map. */
export function filterForm({ changed, draw }) {
  const box = el("form", { class: "filters", role: "search", on: { submit: (e) => e.preventDefault() } });
  let open = false;
  const become = (next) => { chosen = { ...chosen, ...next }; render(); changed(chosen); };
  const typed = calm((text) => { chosen = { ...chosen, text }; changed(chosen); }, 300);

  const chip = (on, label, act, css = "") => el("button", { type: "button", class: `toggle ${css}`, "aria-pressed": String(on), on: { click: act } }, css ? el("i", { class: "dot", "aria-hidden": "true" }) : null, label);
  const check = (name, label) => el("label", { class: "check" }, el("input", { type: "checkbox", checked: chosen[name], on: { change: (e) => become({ [name]: e.target.checked }) } }), label);

  function more() {
    const others = otherCategories();
    return el("div", { class: "filters-more", id: "filters-more" },
      others.length ? el("fieldset", {}, el("legend", {}, t("filter.others")), el("div", { class: "row wrap chips" }, others.map((c) => chip(chosen.categories.includes(c), categoryName(c), () => become({ categories: toggle(chosen.categories, c) }))))) : null,
      el("fieldset", {}, el("legend", {}, t("filter.state")), el("div", { class: "row wrap chips" }, STATES.map((s) => chip(chosen.states.includes(s), stateName(s), () => become({ states: toggle(chosen.states, s) }))))),
      el("div", { class: "pair" },
        el("label", { class: "field" }, el("span", {}, t("filter.period")), el("select", { value: chosen.period, on: { change: (e) => become({ period: e.target.value }) } }, ["all", "day", "week", "month", "custom"].map((p) => el("option", { value: p }, t(`period.${p}`))))),
        el("label", { class: "field" }, el("span", {}, t("filter.priority")), el("select", { value: chosen.priorities[0] ?? "", on: { change: (e) => become({ priorities: e.target.value ? [e.target.value] : [] }) } }, ["", "urgent", "high", "normal"].map((p) => el("option", { value: p }, p ? t(`priority.${p}`) : t("filter.any")))))),
      chosen.period === "custom" ? el("div", { class: "pair" },
        ["since", "until"].map((name) => el("label", { class: "field" }, el("span", {}, t(`filter.${name}`)), el("input", { type: "date", value: chosen[name], on: { change: (e) => become({ [name]: e.target.value }) } })))) : null,
      el("div", { class: "checks" }, check("inView", t("filter.inview")), check("overdue", t("filter.overdue")), check("closed", t("filter.closed"))),
      el("div", { class: "row wrap" },
        chosen.polygon
          ? el("button", { type: "button", on: { click: () => become({ polygon: null }) } }, icon("close"), t("filter.area.clear"))
          : el("button", { type: "button", on: { click: () => draw((ring) => become({ polygon: ring })) } }, icon("area"), t("filter.area.draw")),
        el("span", { class: "grow" }),
        el("button", { type: "button", class: "quiet", on: { click: () => become({ ...NOTHING }) } }, t("filter.reset"))));
  }

  function render() {
    const focused = document.activeElement?.closest?.(".filters") === box ? document.activeElement.getAttribute("data-keep") : null;
    const count = hiddenCount(chosen);
    const search = el("input", { type: "search", value: chosen.text, placeholder: t("filter.search"), "aria-label": t("filter.search"), "data-keep": "search", on: { input: (e) => typed(e.target.value.trim()) } });
    put(box,
      el("div", { class: "row" },
        el("div", { class: "search grow" }, icon("search"), search),
        el("button", { type: "button", "data-keep": "more", "aria-expanded": String(open), "aria-controls": "filters-more", on: { click: () => { open = !open; render(); } } }, icon("filter"), t("filter"), count ? el("span", { class: "count" }, number(count)) : null)),
      el("div", { class: "row wrap chips", role: "group", "aria-label": t("filter.category") },
        CATEGORIES.map((c) => chip(chosen.categories.includes(c), categoryName(c), () => become({ categories: toggle(chosen.categories, c) }), c))),
      open ? more() : null);
    if (focused) box.querySelector(`[data-keep="${focused}"]`)?.focus();
  }
  render();
  return box;
}
