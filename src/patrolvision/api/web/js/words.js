/** Names of what a ticket is and where it stands, in the page's language. */

import { get } from "./api.js";
import { el, icon } from "./dom.js";
import { fromNow, language, t, tOr } from "./i18n.js";

/** The seven steps in their order: 受理 立案 派遣 处置 反馈 核查 结案. */
export const STEPS = ["reported", "filed", "dispatched", "handling", "feedback", "verified", "closed"];
/** What patrols see by themselves; the office's tables name the rest. */
export const CATEGORIES = ["open_fire", "illegal_parking", "litter"];
export const STATES = [...STEPS, "rejected"];
const OVER = ["closed", "rejected"];

const catalogue = new Map(); // category -> its row in the office's table

/** Learn the office's categories and what it calls them; what is known stays where it cannot be asked. */
export async function learnCategories() {
  const found = await get("categories", {}, { quiet: true }).catch(() => null);
  if (!found) return;
  catalogue.clear();
  for (const row of found.categories) catalogue.set(row.category, row);
}

/** The categories beside those that patrols see, in the order of the office's table. */
export const otherCategories = () => [...catalogue.keys()].filter((category) => !CATEGORIES.includes(category));

export const categoryName = (category) => catalogue.get(category)?.[language() === "zh" ? "name_zh" : "name_en"] ?? tOr(`category.${category}`, category.replaceAll("_", " "));
export const stateName = (state) => tOr(`state.${state}`, state);
export const roleName = (role) => tOr(`role.${role}`, role);
export const actionName = (action) => tOr(`action.${action}`, action);
export const causeName = (cause) => tOr(`cause.${cause.code ?? cause}`, cause.label ?? cause.code ?? cause);

/** Is the ticket late? */
export const isLate = (ticket) => Boolean(ticket.due_at) && !OVER.includes(ticket.state) && new Date(ticket.due_at) < Date.now();

/** "No. 12", or the beginning of the ticket's id where it has no number yet. */
export const nameOf = (ticket) => (ticket.number ? `№ ${ticket.number}` : ticket.ticket_id.slice(0, 10));

/** When a ticket was first reported. */
export const openedAt = (ticket) => ticket.opened_at ?? ticket.history?.[0]?.at ?? ticket.incident?.first_seen;

const CATEGORY_ICON = {
  open_fire: "fire", illegal_parking: "parking", litter: "litter", pothole: "road", manhole_cover: "cover", street_lamp: "lamp", traffic_sign: "sign", flooding: "water",
  fallen_tree: "tree", construction_waste: "rubble", graffiti: "paint", street_vending: "stall", abandoned_vehicle: "car", noise: "sound",
};

/** The name of a category's line drawing. */
export const categoryDrawing = (category) => CATEGORY_ICON[category] ?? "bell";

/** A category's line drawing. */
export const categoryIcon = (category) => icon(categoryDrawing(category));

/** A category's chip. */
export const categoryChip = (category) => el("span", { class: `chip strong ${category}` }, categoryName(category));

/** A state's chip, with its place among the seven. */
export function stateChip(state) {
  const step = STEPS.indexOf(state);
  return el("span", { class: `chip state-${state}` }, step < 0 ? stateName(state) : `${step + 1} · ${stateName(state)}`);
}

/** A chip for what is urgent or high; nothing for what is normal. */
export const priorityChip = (priority) =>
  priority === "normal" || !priority ? null : el("span", { class: `chip ${priority}` }, t(`priority.${priority}`));

/** A chip that says when a ticket is due. */
export function dueChip(ticket) {
  if (!ticket.due_at || OVER.includes(ticket.state)) return null;
  const late = isLate(ticket);
  return el("span", { class: `chip${late ? " late" : ""}` }, t(late ? "due.late" : "due.in", { when: fromNow(ticket.due_at) }));
}

/** The seven steps as a line; those behind the ticket are filled. */
export function stepsLine(state) {
  const now = STEPS.indexOf(state);
  return el("ol", { class: `steps${state === "rejected" ? " stopped" : ""}`, "aria-label": t("steps.label") },
    STEPS.map((step, k) => el("li", {
      class: k < now ? "past" : k === now ? "now" : "",
      "aria-current": k === now ? "step" : null,
    }, el("i", { "aria-hidden": "true" }), el("span", {}, stateName(step)))));
}
