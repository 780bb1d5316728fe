/** One ticket: its evidence, its place, what may be done with it, and what has been done. */

import { get } from "./api.js";
import { citizensWords } from "./citizens.js";
import { el, icon, put } from "./dom.js";
import { axes95 } from "./geometry.js";
import { distance, fromNow, t, tOr, when } from "./i18n.js";
import { movesPanel } from "./moves.js";
import { compare, gallery, pairOf } from "./pictures.js";
import { actionName, categoryChip, dueChip, nameOf, priorityChip, stateName, stepsLine } from "./words.js";

function fact(label, ...value) {
  const given = value.flat().filter((v) => v !== null && v !== undefined && v !== "");
  return given.length ? [el("dt", {}, label), el("dd", {}, given)] : null;
}

function placeWords(ticket) {
  const cov = ticket.incident?.cov_en_m2;
  const { long_m, short_m } = cov ? axes95(cov) : { long_m: 2.45 * ticket.sigma_m, short_m: 2.45 * ticket.sigma_m };
  const text = `${ticket.lat_deg.toFixed(6)}, ${ticket.lon_deg.toFixed(6)}`;
  return [
    el("span", { class: "num" }, text),
    el("span", { class: "soft small block" }, t("place.ellipse", { long: distance(long_m), short: distance(short_m) })),
  ];
}

function facts(ticket) {
  const incident = ticket.incident ?? {};
  const seen = incident.first_seen ? `${when(incident.first_seen)} – ${when(incident.last_seen)}` : null;
  const count = incident.observations;
  return el("dl", { class: "facts" },
    fact(t("fact.place"), placeWords(ticket)),
    fact(t("fact.grid"), el("span", { class: "num" }, [ticket.unit_grid, ticket.segment].filter(Boolean).join(" · ") || t("grid.none"))),
    fact(t("fact.responsible"), ticket.responsible_grid),
    fact(t("fact.seen"), seen),
    fact(t("fact.observations"), count ? String(count) : null),
    fact(t("fact.kind"), incident.kind && incident.kind !== "enforce" ? tOr(`kind.${incident.kind}`, incident.kind) : null),
    fact(t("fact.zone"), incident.zone_id),
    fact(t("fact.score"), incident.score === undefined || incident.score === null ? null : incident.score.toFixed(2)),
    fact(t("fact.assignee"), ticket.assignee),
    fact(t("fact.level"), ticket.level ? tOr(`level.${ticket.level}`, String(ticket.level)) : null),
    fact(t("fact.due"), ticket.due_at ? `${when(ticket.due_at)} (${fromNow(ticket.due_at)})` : null),
    fact(t("fact.parent"), ticket.parent ? el("a", { href: `#/map/${encodeURIComponent(ticket.parent)}` }, ticket.parent) : null),
    fact(t("fact.merged"), ticket.merged_into ? el("a", { href: `#/map/${encodeURIComponent(ticket.merged_into)}` }, ticket.merged_into) : null));
}

function historyList(events) {
  const newestFirst = [...events].reverse();
  const hasMoved = (event, k) => event.action && event.state !== newestFirst[k + 1]?.state;
  return el("ol", { class: "history" }, newestFirst.map((event, k) => el("li", { class: `state-${event.state}` },
    el("div", { class: "row wrap" }, el("b", {}, event.action ? actionName(event.action) : stateName(event.state)), hasMoved(event, k) ? el("span", { class: "soft small" }, `→ ${stateName(event.state)}`) : null, el("span", { class: "grow" }), el("time", { class: "soft small num", datetime: event.at }, when(event.at))),
    el("p", { class: "soft small" }, tOr(`actor.${event.actor}`, event.actor)),
    event.note ? el("p", { class: "history-note" }, event.note) : null,
    event.data?.holidays_unknown ? el("p", { class: "history-note" }, t("due.holidays", { years: event.data.holidays_unknown.join(", ") })) : null)));
}

function proposal(ticket) {
  if (!ticket.proposal) return null;
  const isGone = ticket.proposal.kind === "verify";
  return el("div", { class: `notice ${isGone ? "good" : "bad"}`, role: "note" }, icon(isGone ? "check" : "bell"),
    el("span", {}, t(isGone ? "proposal.verify" : "proposal.send_back", { when: when(ticket.proposal.at) })));
}

function head(ticket, close) {
  return el("header", { class: "drawer-head" },
    el("div", { class: "row" },
      categoryChip(ticket.category), priorityChip(ticket.priority), dueChip(ticket), ticket.urged ? el("span", { class: "chip urgent" }, t("urged")) : null,
      el("span", { class: "grow" }),
      el("button", { type: "button", class: "quiet square", "aria-label": t("close"), on: { click: close } }, icon("close"))),
    el("h1", { tabindex: "-1" }, nameOf(ticket), el("span", { class: "soft small code" }, ticket.number ? ticket.ticket_id : "")));
}

/** The drawer in `node`; `open(id)` shows a ticket, `changed(ticket)` hears of every one that is shown. */
export function ticketDrawer({ node, close, changed }) {
  let shown = null;
  let isBusy = false; // somebody is filling in a form
  let version = null;

  async function render(ticket, isNew) {
    const keep = isNew ? 0 : node.scrollTop;
    const pair = pairOf(ticket);
    const moves = el("div", {});
    const after = (next) => open(next.ticket_id ?? ticket.ticket_id, true);
    put(node,
      head(ticket, close),
      stepsLine(ticket.state),
      proposal(ticket),
      pair ? compare(...pair) : null,
      gallery(ticket.pictures),
      moves,
      citizensWords(ticket.ticket_id),
      facts(ticket),
      el("h2", {}, t("history")),
      historyList(ticket.history ?? []),
      el("div", { class: "row wrap drawer-links" },
        el("a", { class: "button", href: `geo:${ticket.lat_deg},${ticket.lon_deg}` }, icon("route"), t("open.geo")),
        el("a", { class: "button", href: `/api/v1/tickets/${encodeURIComponent(ticket.ticket_id)}/notice.pdf`, target: "_blank", rel: "noopener" }, icon("doc"), t("notice"))));
    node.scrollTop = keep;
    if (isNew) node.querySelector("h1").focus({ preventScroll: true });
    moves.replaceWith(await movesPanel(ticket, { done: after, busy: (on) => { isBusy = on; } }).catch((error) => el("p", { class: "error-line" }, error.message)));
  }

  async function open(id, isAgain = false, isTold = false) {
    const isNew = shown !== id;
    shown = id;
    if (isNew) { isBusy = false; node.hidden = false; put(node, el("p", { class: "soft drawer-wait", role: "status" }, t("loading"))); }
    try {
      const ticket = await get(`tickets/${encodeURIComponent(id)}`);
      if (shown !== id || (!isNew && isBusy) || (isTold && ticket.version === version)) return;
      version = ticket.version;
      changed(ticket, isNew && !isAgain);
      await render(ticket, isNew);
    } catch (error) {
      if (shown !== id) return;
      put(node, el("div", { class: "drawer-head" }, el("div", { class: "row" }, el("p", { class: "grow", role: "alert" }, error.status === 404 ? t("ticket.none") : error.message || t("problem.unreachable")), el("button", { type: "button", class: "quiet square", "aria-label": t("close"), on: { click: close } }, icon("close")))));
    }
  }

  return {
    open,
    shown: () => shown,
    shut() { shown = null; isBusy = false; node.hidden = true; put(node); },
    /** The ticket has changed elsewhere: show it, unless somebody is filling in a form. */
    refresh(id) { if (shown && !isBusy && (!id || id === shown)) open(shown, true, true); },
  };
}
