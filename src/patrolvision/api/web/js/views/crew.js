/** A crew's own tickets on a phone: take one, take a photo of the result, report back; works through tunnels. */

import { get, page, write } from "../api.js";
import { askSignIn } from "../account.js";
import { calm, el, icon, put, toast } from "../dom.js";
import { apart_m } from "../geometry.js";
import { distance, number, t, when } from "../i18n.js";
import { onChange } from "../live.js";
import { photoField } from "../moves.js";
import { drop, keep, onOutbox, startOutbox, waitingMoves } from "../outbox.js";
import { enlarge, inOrder } from "../pictures.js";
import { session } from "../session.js";
import { actionName, categoryChip, dueChip, isLate, nameOf, priorityChip, stateName, stepsLine } from "../words.js";

const STORE = "pv-crew-tickets";
const MINE = ["dispatched", "handling"];
const MOST_WITH_PICTURES = 20;
const RECENT = ["feedback"];

/** What waits to be sent is shown as if it had been. */
function asSoonAs(tickets, waiting) {
  const after = { take: "handling", report_back: "feedback" };
  return tickets.map((ticket) => {
    const last = waiting.filter((w) => w.ticket_id === ticket.ticket_id && !w.error).at(-1);
    return last ? { ...ticket, state: after[last.action] ?? ticket.state, isWaiting: true } : ticket;
  });
}

/** Open the view. */
export function open(main) {
  const who = session();
  if (!who) {
    main.append(el("div", { class: "empty" }, icon("crew"), el("p", {}, t("crew.signin")), el("button", { type: "button", class: "primary", on: { click: askSignIn } }, t("account.signin"))));
    return { update() {}, close() {} };
  }
  let tickets = [];
  let here = null;
  let isOffline = false;
  let reporting = null; // id of the ticket whose result is being reported
  let isGone = false;
  let stopOutbox = () => {};
  const head = el("header", { class: "crew-head" });
  const body = el("div", { class: "crew-list" });
  main.append(el("div", { class: "crew" }, head, body));

  function restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(STORE) ?? "null");
      if (kept?.who === who.name) tickets = kept.tickets;
    } catch { /* nothing kept that can be read */ }
  }
  async function load() {
    try {
      const crew = who.crew ?? who.name;
      const given = who.role === "crew" ? { assignee: crew } : {};
      const found = await page("tickets", { ...given, state: [...MINE, ...RECENT], sort: "due", limit: 100 });
      const whole = found.rows.filter((ticket) => MINE.includes(ticket.state)).slice(0, MOST_WITH_PICTURES);
      const pictured = new Map((await Promise.all(whole.map((ticket) => get(`tickets/${encodeURIComponent(ticket.ticket_id)}`)))).map((ticket) => [ticket.ticket_id, ticket]));
      tickets = found.rows.map((ticket) => pictured.get(ticket.ticket_id) ?? ticket);
      isOffline = false;
      localStorage.setItem(STORE, JSON.stringify({ who: who.name, tickets }));
    } catch (error) {
      isOffline = error.status === 0;
      if (!isOffline) toast(error.message, { bad: true });
    }
    if (!isGone) render();
  }

  const range = (ticket) => (here ? apart_m(here.latitude, here.longitude, ticket.lat_deg, ticket.lon_deg) : null);
  const order = (a, b) => (here ? range(a) - range(b) : isLate(b) - isLate(a));
  function findMe() {
    navigator.geolocation.getCurrentPosition((found) => { here = found.coords; tellPosition(); render(); }, () => toast(t("crew.nowhere"), { bad: true }), { enableHighAccuracy: true, timeout: 10_000, maximumAge: 60_000 });
  }
  function tellPosition() {
    if (!who.crew) return;
    write("POST", `crews/${encodeURIComponent(who.crew)}/position`, { lat_deg: here.latitude, lon_deg: here.longitude }, { quiet: true }).catch(() => {}); // only a help for the dispatcher
  }
  const act = async (ticket, action, more) => {
    reporting = null;
    await keep(who.name, ticket.ticket_id, action, more);
    if (waitingMoves().some((w) => w.ticket_id === ticket.ticket_id && !w.error)) toast(t("crew.stored"));
    render();
  };

  function reportForm(ticket) {
    const photo = photoField({ capture: true });
    const note = el("textarea", { placeholder: t("note.free"), "aria-label": t("note"), maxlength: 2000 });
    const send = el("button", { type: "submit", class: "primary wide", disabled: true }, icon("send"), t("action.report_back"));
    photo.input.addEventListener("change", () => { send.disabled = !photo.files().length; photo.words.textContent = t("photo.again"); });
    const form = el("form", { class: "stack crew-report" }, photo.node, note, send,
      el("button", { type: "button", class: "quiet wide", on: { click: () => { reporting = null; render(); } } }, t("cancel")));
    form.addEventListener("submit", (event) => { event.preventDefault(); act(ticket, "report_back", { note: note.value.trim(), photo: photo.files()[0] }); });
    return form;
  }
  function buttons(ticket) {
    if (reporting === ticket.ticket_id) return reportForm(ticket);
    if (ticket.state === "dispatched") return el("button", { type: "button", class: "primary wide big", on: { click: () => act(ticket, "take") } }, t("action.take"));
    if (ticket.state === "handling") return el("button", { type: "button", class: "primary wide big", on: { click: () => { reporting = ticket.ticket_id; render(); main.querySelector(".crew-report label")?.scrollIntoView({ block: "center" }); } } }, icon("camera"), t("crew.result"));
    return el("p", { class: "notice good" }, icon("check"), t("crew.reported"));
  }
  function card(ticket) {
    const picture = inOrder(ticket.pictures ?? []).find((p) => p.kind !== "after");
    const metres = range(ticket);
    const sentBack = ticket.state === "handling" ? ticket.history?.filter((e) => e.action === "send_back").at(-1) : null;
    return el("article", { class: `crew-card ${ticket.category}`, "aria-label": nameOf(ticket), data: { id: ticket.ticket_id } },
      picture ? el("button", { type: "button", class: "crew-picture", "aria-label": t("picture.enlarge"), on: { click: () => enlarge(inOrder(ticket.pictures)) } }, el("img", { src: picture.url, alt: "", loading: "lazy", on: { error: (e) => e.target.parentElement.remove() } })) : null,
      el("div", { class: "crew-body" },
        el("div", { class: "row wrap" }, categoryChip(ticket.category), priorityChip(ticket.priority), dueChip(ticket), ticket.isWaiting ? el("span", { class: "chip" }, icon("clock"), t("crew.waiting")) : null),
        el("h2", {}, nameOf(ticket)),
        stepsLine(ticket.state),
        el("p", { class: "soft small num" }, [ticket.unit_grid, ticket.segment].filter(Boolean).join(" · "), metres === null ? "" : ` · ${distance(metres)}`),
        sentBack ? el("p", { class: "notice bad" }, icon("undo"), `${t("crew.sentback")} ${sentBack.note}`) : null,
        el("a", { class: "button wide", href: `geo:${ticket.lat_deg},${ticket.lon_deg}?q=${ticket.lat_deg},${ticket.lon_deg}` }, icon("route"), t("crew.route")),
        buttons(ticket)));
  }
  function refused(entry) {
    return el("div", { class: "notice bad crew-refused", role: "alert" }, icon("bell"),
      el("span", { class: "grow" }, `${actionName(entry.action)} · ${when(entry.at)}: ${entry.error}`), el("button", { type: "button", on: { click: () => drop(entry.key) } }, t("crew.drop")));
  }
  function render() {
    const waiting = waitingMoves().filter((w) => w.who === who.name);
    const shown = asSoonAs(tickets, waiting);
    const open = shown.filter((ticket) => MINE.includes(ticket.state)).sort(order);
    const reported = shown.filter((ticket) => RECENT.includes(ticket.state));
    const unsent = waiting.filter((w) => !w.error).length;
    put(head, el("h1", { class: "grow" }, t("crew.title")),
      navigator.geolocation ? el("button", { type: "button", "aria-pressed": String(Boolean(here)), on: { click: findMe } }, icon("pin"), t("crew.nearest")) : null,
      isOffline || unsent ? el("p", { class: "crew-offline", role: "status" }, icon(isOffline ? "offline" : "clock"), unsent ? t("crew.unsent", { n: number(unsent) }) : t("crew.offline")) : null);
    put(body, waiting.filter((w) => w.error).map(refused),
      open.map(card),
      open.length ? null : el("div", { class: "empty" }, icon("check"), el("p", {}, t("crew.none"))),
      reported.length ? [el("h2", { class: "crew-done" }, t("crew.done")), reported.map((ticket) => el("div", { class: "row crew-row" }, categoryChip(ticket.category), el("span", { class: "grow" }, nameOf(ticket)), el("span", { class: "chip" }, stateName(ticket.state)), ticket.isWaiting ? icon("clock") : null))] : null);
  }

  restore();
  render();
  const soon = calm(() => { if (!reporting) load(); }, 300);
  const quiet = onChange(soon);
  const calmOutbox = onOutbox((_, sent) => { if (sent) { toast(t("crew.sent")); load(); } else if (!reporting) render(); });
  startOutbox(who.name).then((stop) => { if (isGone) stop(); else stopOutbox = stop; });
  addEventListener("online", load);
  load();
  return { update() {}, close() { isGone = true; quiet(); calmOutbox(); stopOutbox(); removeEventListener("online", load); } };
}
