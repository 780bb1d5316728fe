/** What somebody sees who may not read: a calm invitation to sign in. */

import { askSignIn } from "../account.js";
import { el } from "../dom.js";
import { t } from "../i18n.js";

/** Open the view. */
export function open(main) {
  main.append(el("div", { class: "gate" },
    el("img", { src: "/web/icon.svg", alt: "", width: 56, height: 56 }), el("h1", {}, "patrolvision"), el("p", { class: "soft" }, t("gate.words")),
    el("button", { type: "button", class: "primary", on: { click: askSignIn } }, t("account.signin"))));
  return { close() {} };
}
