/** What citizens wrote and sent about a ticket, for whoever judges it. */

import { get } from "./api.js";
import { el, icon, put } from "./dom.js";
import { distance, t, when } from "./i18n.js";
import { may } from "./session.js";

const words = (value) => [value].flat().join(", ").replaceAll("_", " ");

function report(one) {
  return el("li", { class: "citizen" },
    el("p", { class: "citizen-said" }, one.description || t("citizens.nothing")),
    Object.keys(one.attributes).length ? el("p", { class: "row wrap chips" }, Object.entries(one.attributes).map(([name, value]) => el("span", { class: "chip" }, `${words(name)}: ${words(value)}`))) : null,
    el("p", { class: "soft small num" }, [when(one.received_at), t("citizens.apart", { distance: distance(one.apart_m) }), one.address].filter(Boolean).join(" · ")));
}

/** A section that fills itself; empty for who may not read it, and where no citizen reported. */
export function citizensWords(ticket_id) {
  const box = el("section", { class: "citizens", hidden: true, "aria-label": t("citizens") });
  if (ticket_id && may("reviewer", "dispatcher")) {
    get(`tickets/${encodeURIComponent(ticket_id)}/reports`, {}, { quiet: true }).then((found) => {
      if (!found.length) return;
      put(box, el("h2", {}, icon("people"), t("citizens")), el("ol", {}, found.map(report)));
      box.hidden = false;
    }).catch(() => {}); // the ticket itself says what is wrong
  }
  return box;
}
