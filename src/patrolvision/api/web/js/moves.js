/** The moves of a ticket as buttons, and for each the form of what it needs. */

import { freshKey, get, Problem, write } from "./api.js";
import { el, icon, put, toast } from "./dom.js";
import { apart_m, boxOf } from "./geometry.js";
import { distance, language, t } from "./i18n.js";
import { session } from "./session.js";
import { askSignIn } from "./account.js";
import { actionName, causeName, nameOf, stateName } from "./words.js";

const NEAR_M = 100; // within which a ticket to merge with is offered
const FORWARD = ["file", "confirm", "dispatch", "take", "report_back", "verify", "close"];
const AGAINST = ["reject", "send_back"];

const labelOf = (move) => (language() === "zh" ? move.label_zh : move.label_en) || actionName(move.action);

const OBSTACLES = [[/after-picture/, "why.proof"], [/nobody checks/, "why.eyes"], [/must be confirmed/, "why.confirm"], [/it is given to/, "why.own"], [/ is for /, "why.role"], [/no later look/, "why.gone"]];

/** Why a move cannot be made, in the page's language where the reason is a known one. */
function obstacle(text) {
  const known = OBSTACLES.find(([pattern]) => pattern.test(text));
  return known ? t(known[1]) : text.replace(/^ticket \S+: /, "");
}

/** Causes for this category, its own before those of every category, false alarms before other reasons. */
export async function causesFor(category) {
  const weight = (c) => (c.category === "*") + 2 * !c.false_alarm;
  return (await get("causes")).filter((c) => [category, "*"].includes(c.category ?? "*")).sort((a, b) => weight(a) - weight(b));
}

/** A file field for one photo with a preview; `files()` gives what was chosen. */
export function photoField({ capture = false } = {}) {
  const preview = el("div", { class: "photo-preview" });
  const input = el("input", { type: "file", accept: "image/jpeg,image/png,image/webp", capture: capture ? "environment" : null, class: "sr", "data-need": "after_picture" });
  let address = null;
  input.addEventListener("change", () => {
    if (address) URL.revokeObjectURL(address);
    address = input.files[0] ? URL.createObjectURL(input.files[0]) : null;
    put(preview, address ? el("img", { src: address, alt: t("photo.chosen") }) : null);
  });
  const words = el("span", {}, t(capture ? "photo.take" : "photo.add"));
  const node = el("div", { class: "photo" }, el("label", { class: "button" }, icon("camera"), words, input), preview);
  return { node, files: () => [...input.files], input, words };
}

/** Send a photo of a ticket; answers its id. */
export async function sendPhoto(ticketId, file, { kind = "after", key = freshKey() } = {}) {
  const form = new FormData();
  form.append("file", file, file.name || "photo.jpg");
  form.append("kind", kind);
  return (await write("POST", `tickets/${encodeURIComponent(ticketId)}/pictures`, form, { key })).id;
}

function noteField(isNeeded) {
  const area = el("textarea", { "data-need": "note", required: isNeeded, maxlength: 2000, placeholder: t(isNeeded ? "note.needed" : "note.free") });
  return { node: el("label", { class: "field" }, el("span", {}, t("note")), area), read: () => ({ note: area.value.trim() || undefined }) };
}

async function causeField(ticket) {
  const causes = await causesFor(ticket.category);
  const select = el("select", { "data-need": "cause", required: true }, el("option", { value: "" }, t("choose")), causes.map((c) => el("option", { value: c.code ?? c }, causeLabel(c))));
  return { node: el("label", { class: "field" }, el("span", {}, t("cause")), select), read: () => ({ cause: select.value }) };
}

/** A cause's name in the page's language. */
export const causeLabel = (c) => (language() === "zh" ? c.label_zh : c.label_en) ?? causeName(c);

async function assigneeField(ticket) {
  const crews = await get(`tickets/${encodeURIComponent(ticket.ticket_id)}/candidates`).catch(() => []);
  const name = `assignee-${ticket.ticket_id}`;
  const hand = el("input", { type: "text", "data-need": "assignee-name", placeholder: t("assignee.other"), "aria-label": t("assignee.other"), on: { input: () => { for (const r of node.querySelectorAll("input[type=radio]")) r.checked = false; } } });
  const node = el("fieldset", { class: "candidates" }, el("legend", {}, t("assignee")),
    crews.slice(0, 6).map((crew, k) => el("label", { class: "candidate" },
      el("input", { type: "radio", name, value: crew.crew, checked: k === 0, "data-need": "assignee", on: { change: () => { hand.value = ""; } } }),
      el("span", { class: "grow" }, el("b", {}, crew.name), el("span", { class: "soft small" }, candidateWords(crew))),
      k === 0 ? el("span", { class: "chip good" }, t("assignee.best")) : null)),
    hand);
  return { node, read: () => ({ assignee: hand.value.trim() || node.querySelector("input[type=radio]:checked")?.value }) };
}

function candidateWords(crew) {
  const far = crew.distance_m === null ? t("crew.unknown") : distance(crew.distance_m);
  return [crew.crew, far, t("crew.load", { n: crew.open_tickets })].join(" · ");
}

function pictureField() {
  const photo = photoField();
  return {
    node: el("div", { class: "field" }, el("span", {}, t("photo.after")), photo.node),
    read: async (ticket) => (photo.files().length ? { picture_ids: [await sendPhoto(ticket.ticket_id, photo.files()[0])] } : {}),
  };
}

/** Open tickets of the same category nearby to choose from, or any by its number or id. */
async function intoField(ticket) {
  const box = boxOf([[ticket.lon_deg, ticket.lat_deg]], NEAR_M).map((d) => d.toFixed(6)).join(",");
  const near = (await get("tickets", { category: ticket.category, bbox: box, closed: false, limit: 20 }).catch(() => [])).filter((other) => other.ticket_id !== ticket.ticket_id);
  const far = (other) => apart_m(ticket.lat_deg, ticket.lon_deg, other.lat_deg, other.lon_deg);
  const select = el("select", { "data-need": "into" }, el("option", { value: "" }, t("choose")),
    near.sort((x, y) => far(x) - far(y)).map((other) => el("option", { value: other.ticket_id }, `${nameOf(other)} · ${stateName(other.state)} · ${distance(far(other))}`)));
  const input = el("input", { type: "text", placeholder: t("into.words"), "aria-label": t("into.words") });
  const read = async () => {
    if (!input.value.trim()) return { into: select.value || undefined };
    const found = await get("tickets", { text: input.value.trim(), limit: 2 });
    return { into: found.length === 1 ? found[0].ticket_id : input.value.trim() };
  };
  return { node: el("div", { class: "stack" }, el("label", { class: "field" }, el("span", {}, t("into")), select), input), read };
}

function partsField() {
  const input = el("input", { type: "number", min: 2, max: 10, value: 2, required: true, "data-need": "parts" });
  return { node: el("label", { class: "field" }, el("span", {}, t("parts")), input), read: () => ({ parts: Number(input.value) }) };
}

const FIELDS = {
  note: () => noteField(true), cause: causeField, assignee: assigneeField, after_picture: pictureField, into: intoField, parts: partsField,
};

/** Gather what the fields hold and make the move; answers the ticket after it. */
async function make(move, ticket, fields, key) {
  const parts = await Promise.all(fields.map((f) => f.read(ticket)));
  if (move.action === "attach") return ticket; // sending the picture was the move
  const body = Object.assign({ action: move.action }, ...parts);
  const hasSent = Boolean(body.picture_ids?.length); // the picture is a line of the history: the version went on
  return write("POST", `tickets/${encodeURIComponent(ticket.ticket_id)}/moves`, body, { key, version: hasSent ? null : ticket.version ?? null });
}

async function formOf(move, ticket, { done, cancel }) {
  const needs = move.action === "attach" ? ["after_picture"] : move.needs ?? [];
  const fields = await Promise.all(needs.filter((need) => need in FIELDS).map((need) => FIELDS[need](ticket)));
  if (move.action === "report_back" && !needs.includes("after_picture")) fields.push(pictureField());
  if (!needs.includes("note") && move.action !== "attach") fields.push(noteField(false));
  const wrong = el("p", { class: "error-line", role: "alert" });
  const go = el("button", { type: "submit", class: AGAINST.includes(move.action) ? "danger" : "primary" }, labelOf(move));
  const key = freshKey();
  const form = el("form", { class: "move-form stack" }, fields.map((f) => f.node), wrong,
    el("div", { class: "row" }, el("button", { type: "button", class: "quiet", on: { click: cancel } }, t("cancel")), el("span", { class: "grow" }), go));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    wrong.textContent = "";
    try {
      done(await make(move, ticket, fields, key));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      wrong.textContent = error.status === 409 ? t("problem.changed") : error.message || t("problem.unreachable");
    } finally {
      go.disabled = false;
    }
  });
  return form;
}

/** Buttons for what may be done with a ticket now; `done` is called with the ticket after a move. */
export async function movesPanel(ticket, { done, busy = () => {} }) {
  const node = el("section", { class: "moves", "aria-label": t("moves") });
  if (!session()) {
    return put(node, el("button", { type: "button", class: "primary wide", on: { click: askSignIn } }, icon("user"), t("moves.signin")));
  }
  const moves = (await get(`tickets/${encodeURIComponent(ticket.ticket_id)}/moves`)).filter((m) => m.action !== "propose");
  const main = FORWARD.map((action) => moves.find((m) => m.allowed && m.action === action)).find(Boolean);
  const buttons = () => { busy(false); put(node, choice()); };

  async function begin(move) {
    busy(true);
    const form = await formOf(move, ticket, {
      cancel: buttons,
      done: (after) => { busy(false); toast(t("moved", { action: labelOf(move) })); done(after); },
    });
    put(node, el("h3", {}, labelOf(move)), form);
    form.querySelector("input, select, textarea, button")?.focus();
    node.scrollIntoView({ block: "nearest" });
  }
  const button = (move, css) => el("button", { type: "button", class: css, data: { action: move.action }, on: { click: () => begin(move) } }, labelOf(move));
  function choice() {
    const rest = moves.filter((m) => m.allowed && m !== main);
    const closed = main ? [] : moves.filter((m) => !m.allowed && FORWARD.includes(m.action) && m.why_not);
    return [
      main ? button(main, "primary wide") : null,
      rest.length ? el("div", { class: "row wrap" }, rest.map((m) => button(m, AGAINST.includes(m.action) ? "danger" : ""))) : null,
      closed.length ? el("ul", { class: "why-not soft small" }, closed.map((m) => el("li", {}, el("b", {}, labelOf(m)), " – ", obstacle(m.why_not)))) : null,
      moves.length ? null : el("p", { class: "soft small" }, t("moves.none")),
    ];
  }
  buttons();
  return node;
}
