/** The list of tickets beside the map: pages as one scrolls, one row a ticket. */

import { page } from "./api.js";
import { el, icon, put } from "./dom.js";
import { t, when } from "./i18n.js";
import { categoryIcon, categoryName, dueChip, nameOf, openedAt, priorityChip, stateChip } from "./words.js";

const PAGE = 50;

function row(ticket, selected, pick) {
  return el("li", {},
    el("button", { type: "button", class: `ticket-row ${ticket.category}`, "aria-current": ticket.ticket_id === selected ? "true" : null, data: { id: ticket.ticket_id }, on: { click: () => pick(ticket.ticket_id) } },
      el("span", { class: "tile", "aria-hidden": "true" }, categoryIcon(ticket.category)),
      el("span", { class: "ticket-words" },
        el("span", { class: "ticket-title" }, el("b", { class: "grow", title: categoryName(ticket.category) }, categoryName(ticket.category)), el("time", { class: "soft small num" }, when(openedAt(ticket)))),
        el("span", { class: "soft small num ticket-place" }, [nameOf(ticket), ticket.unit_grid ?? t("grid.none")].join(" · ")),
        el("span", { class: "row wrap chips" }, stateChip(ticket.state), priorityChip(ticket.priority), dueChip(ticket), ticket.proposal ? el("span", { class: "chip good" }, t("proposal.short")) : null))));
}

/** A list that can be filled anew; `pick` is called with a ticket's id. */
export function ticketList({ pick, sorted, sort }) {
  const head = el("div", { class: "list-head" });
  const body = el("ol", { class: "ticket-list", "aria-label": t("list.label") });
  const foot = el("div", { class: "list-foot" });
  const node = el("section", { class: "list", "aria-label": t("list.label") }, head, el("div", { class: "list-scroll", tabindex: "-1" }, body, foot));
  let next = null;
  let selected = null;
  let shown = 0;
  let asking = null;

  const order = el("select", { "aria-label": t("list.sort"), value: sort, on: { change: (e) => sorted(e.target.value) } },
    ["newest", "oldest", "due", "priority"].map((name) => el("option", { value: name, selected: name === sort }, t(`sort.${name}`))));
  const heading = el("h2", { class: "grow" });
  put(head, heading, order);

  function finish(found) {
    shown += found.rows.length;
    next = found.next;
    body.append(...found.rows.map((ticket) => row(ticket, selected, pick)));
    heading.textContent = next ? t("list.first", { n: shown }) : t("list.count", { n: shown });
    put(foot, next ? el("button", { type: "button", on: { click: more } }, t("list.more")) : null,
      shown ? null : el("div", { class: "empty" }, icon("check"), el("p", {}, t("list.empty"))));
  }
  async function more() {
    if (next) finish(await page(next));
  }
  new IntersectionObserver((seen) => { if (seen[0].isIntersecting && shown) more(); }).observe(foot);

  /** Say why there is no list, or none that is new, and let it be asked for again. */
  function failed(error, given) {
    if (!shown) heading.textContent = t("list.label");
    put(foot, el("div", { class: "empty", role: "alert" }, icon("offline"), el("p", {}, error.message || t("problem.unreachable")),
      el("button", { type: "button", on: { click: () => fill(given) } }, t("again"))));
  }

  async function fill(given) {
    asking?.abort();
    asking = new AbortController();
    try {
      const found = await page("tickets", { ...given, limit: PAGE }, { signal: asking.signal });
      const focused = body.contains(document.activeElement) ? document.activeElement.dataset.id : null;
      body.replaceChildren();
      shown = 0;
      finish(found);
      if (focused) body.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      failed(error, given);
    }
  }

  return {
    node,
    fill,
    select(id) {
      selected = id;
      for (const button of body.querySelectorAll(".ticket-row")) {
        if (button.dataset.id === id) { button.setAttribute("aria-current", "true"); button.scrollIntoView({ block: "nearest" }); }
        else button.removeAttribute("aria-current");
      }
    },
    focus(id) { body.querySelector(`[data-id="${CSS.escape(id ?? "")}"]`)?.focus(); },
  };
}
