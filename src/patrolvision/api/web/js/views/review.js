/** The review queue, driven by the keyboard: confirm, false with a cause, next; a verdict can be taken back. */

import { freshKey, get, write } from "../api.js";
import { askSignIn } from "../account.js";
import { citizensWords } from "../citizens.js";
import { el, icon, put, toast } from "../dom.js";
import { boxOf, ellipse95 } from "../geometry.js";
import { distance, number, t, tOr, when } from "../i18n.js";
import { groundKeeper } from "../map/ground.js";
import { plainMap } from "../map/plain.js";
import { causeLabel, causesFor } from "../moves.js";
import { gallery } from "../pictures.js";
import { may, session } from "../session.js";
import { categoryChip, dueChip, nameOf, openedAt, priorityChip } from "../words.js";

const HELD_MS = 6000; // how long a verdict waits for second thoughts
const LOW = 4;

const idOf = (item) => item.ticket_id ?? item.incident_id;

/** Verdicts that are given but not yet sent: the last one can be taken back. */
function heldVerdicts(failed) {
  let held = null;
  async function send({ item, body, key }, keepalive) {
    try {
      await write("POST", `tickets/${encodeURIComponent(idOf(item))}/verdict`, body, { key, keepalive });
    } catch (error) {
      failed(item, error);
    }
  }
  function flush(keepalive = false) {
    if (!held) return null;
    const now = held;
    held = null;
    clearTimeout(now.timer);
    return send(now, keepalive);
  }
  return {
    flush,
    hold(item, body) {
      flush();
      held = { item, body, key: freshKey(), timer: setTimeout(flush, HELD_MS) };
    },
    takeBack() {
      const now = held;
      held = null;
      if (now) clearTimeout(now.timer);
      return now?.item ?? null;
    },
  };
}

function smallMap(node) {
  const map = plainMap(node, { onMove: () => ground?.(), onPick: () => {} });
  const ground = groundKeeper(map);
  const show = (item) => {
    const s2 = item.sigma_m ** 2;
    const cov = item.incident?.cov_en_m2 ?? item.cov_en_m2 ?? [[s2, 0], [0, s2]];
    const at = [item.lon_deg, item.lat_deg];
    const ring = ellipse95(at[1], at[0], cov);
    const one = (properties, geometry) => ({ type: "FeatureCollection", features: [{ type: "Feature", properties, geometry }] });
    map.set("ellipse", one({ category: item.category }, { type: "Polygon", coordinates: [ring] }));
    map.set("points", one({ category: item.category, state: "reported", priority: item.priority }, { type: "Point", coordinates: at }));
    map.fit(boxOf(ring, 25), { padding: 10, maxZoom: 19 });
  };
  return { show, remove: () => map.remove() };
}

/** Open the view. */
export function open(main) {
  let items = [];
  let at = 0;
  let causes = null; // while a cause is being chosen
  let given = 0;
  let isOver = false; // nothing more on the server
  const done = new Set();
  const begun = Date.now();
  const held = heldVerdicts((item, error) => {
    done.delete(idOf(item));
    given -= 1;
    items.splice(at, 0, item);
    toast(`${nameOf({ ...item, ticket_id: idOf(item) })}: ${error.message || t("problem.unreachable")}`, { bad: true });
    render();
  });

  const head = el("header", { class: "review-head" });
  const stage = el("section", { class: "review-stage", "aria-live": "polite" });
  const side = el("section", { class: "review-side" });
  const mapNode = el("div", { class: "review-map", "aria-label": t("map.label"), role: "img" });
  const words = el("div", { class: "review-words" });
  const keys = el("footer", { class: "review-keys" });
  main.append(head, stage, put(side, mapNode, words), keys);
  const place = smallMap(mapNode);

  const current = () => items[at];
  const canJudge = () => may("reviewer", "dispatcher");

  async function load() {
    try {
      const found = await get("queue", { limit: 50 });
      const known = new Set(items.map(idOf));
      const fresh = found.filter((item) => !done.has(idOf(item)) && !known.has(idOf(item)));
      items.push(...fresh);
      isOver = fresh.length === 0;
    } catch (error) {
      put(stage, el("p", { class: "empty", role: "alert" }, error.message || t("problem.unreachable")));
      return;
    }
    render();
  }

  const guard = () => {
    if (canJudge()) return true;
    if (session()) toast(t("review.role"), { bad: true }); else askSignIn();
    return false;
  };
  function judge(body) {
    const item = current();
    if (!item || !guard()) return;
    held.hold(item, body);
    done.add(idOf(item));
    given += 1;
    items.splice(at, 1);
    at = Math.min(at, Math.max(items.length - 1, 0));
    causes = null;
    if (items.length < LOW && !isOver) load();
    render();
  }
  async function chooseCause() {
    const item = current();
    if (!item || !guard()) return;
    causes = await causesFor(item.category);
    render();
  }
  function step(by) {
    causes = null;
    if (items.length) at = (at + by + items.length) % items.length;
    render();
  }
  function undo() {
    const item = held.takeBack();
    if (!item) return toast(t("review.undo.none"));
    done.delete(idOf(item));
    given -= 1;
    items.splice(at, 0, item);
    return render();
  }

  const pace = () => given / Math.max((Date.now() - begun) / 60_000, 0.25);
  const key = (letter, label, act, css = "") => el("button", { type: "button", class: css, on: { click: act } }, el("kbd", {}, letter), label);

  function drawHead() {
    put(head, el("h1", {}, t("review.title")), el("span", { class: "soft num", role: "status" }, t("review.waiting", { n: number(items.length) })),
      el("span", { class: "grow" }), given ? el("span", { class: "soft num" }, t("review.given", { n: number(given), pace: number(pace(), 1) })) : null);
  }
  function drawKeys() {
    if (causes) {
      put(keys, el("span", { class: "review-ask" }, t("review.why")),
        causes.slice(0, 10).map((cause, k) => key(String((k + 1) % 10), causeLabel(cause), () => judge({ verdict: "false", cause: cause.code ?? cause }))),
        key("Esc", t("cancel"), () => { causes = null; render(); }, "quiet"));
      return;
    }
    put(keys,
      key("C", t("review.confirm"), () => judge({ verdict: "confirmed" }), "primary"),
      key("F", t("review.false"), chooseCause, "danger"),
      key("N", t("review.next"), () => step(1)),
      key("P", t("review.previous"), () => step(-1)),
      key("Z", t("undo"), undo, "quiet"));
  }
  function drawItem() {
    const item = current();
    side.hidden = !item;
    keys.hidden = !item && !given;
    if (!item) {
      put(stage, el("div", { class: "empty" }, icon("check"), el("h2", {}, t("review.empty")), el("p", {}, t("review.empty.words"))));
      return;
    }
    const incident = item.incident ?? item;
    put(stage, gallery(item.pictures));
    put(words,
      el("div", { class: "row wrap" }, categoryChip(item.category), priorityChip(item.priority), dueChip(item), incident.kind === "review" ? el("span", { class: "chip" }, t("kind.review")) : null),
      el("h2", {}, nameOf({ ...item, ticket_id: idOf(item) })),
      el("dl", { class: "facts" },
        [["fact.grid", item.unit_grid ?? t("grid.none")], ["fact.place", `${item.lat_deg.toFixed(6)}, ${item.lon_deg.toFixed(6)} ± ${distance(item.sigma_m ?? 0)}`],
          ["fact.seen", when(incident.first_seen ?? openedAt(item))], ["fact.by", incident.mission_ids?.join(", ")], ["fact.zone", incident.zone_id],
          ["fact.score", incident.score?.toFixed(2)], ["fact.class", incident.class && incident.class !== item.category ? tOr(`class.${incident.class}`, incident.class) : null]]
          .filter(([, value]) => value).map(([label, value]) => [el("dt", {}, t(label)), el("dd", { class: "num" }, value)])));
    words.append(citizensWords(item.ticket_id));
    if (item.lat_deg !== undefined) place.show(item);
    for (const next of items.slice(at + 1, at + 3)) if (next.pictures?.[0]) new Image().src = next.pictures[0].url; // so that the next one is there at once
  }
  function render() { drawHead(); drawItem(); drawKeys(); }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") || event.target.matches?.("input, select, textarea")) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const digit = name === "0" ? 10 : Number(name);
    const act = causes
      ? { Escape: () => { causes = null; render(); }, z: undo }[name] ?? (digit >= 1 && causes[digit - 1] ? () => judge({ verdict: "false", cause: causes[digit - 1].code ?? causes[digit - 1] }) : null)
      : { c: () => judge({ verdict: "confirmed" }), f: chooseCause, n: () => step(1), ArrowRight: () => step(1), p: () => step(-1), ArrowLeft: () => step(-1), z: undo }[name];
    if (!act) return;
    event.preventDefault();
    act();
  }
  const leave = () => held.flush(true);
  addEventListener("keydown", onKey);
  addEventListener("pagehide", leave);
  render();
  load();
  return { update() {}, close() { leave(); place.remove(); removeEventListener("keydown", onKey); removeEventListener("pagehide", leave); } };
}
