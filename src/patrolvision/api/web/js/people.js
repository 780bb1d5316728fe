/** For an admin: who may work here, and a form for one more. */

import { get, write } from "./api.js";
import { el, icon, put, toast } from "./dom.js";
import { t } from "./i18n.js";
import { roleName } from "./words.js";

const ROLES = ["viewer", "reviewer", "dispatcher", "crew", "admin"];

function row(account, change) {
  return el("tr", { class: account.disabled_at ? "soft" : "" },
    el("th", { scope: "row" }, account.name), el("td", {}, roleName(account.role)), el("td", {}, account.crew ?? "–"),
    el("td", {}, account.areas.join(", ") || t("people.everywhere")),
    el("td", { class: "end" }, el("button", { type: "button", class: "quiet", on: { click: () => change(account.name, { disabled: !account.disabled_at }) } }, t(account.disabled_at ? "people.enable" : "people.disable"))));
}

/** Open the dialog. */
export async function showPeople() {
  const body = el("tbody", {});
  const wrong = el("p", { class: "error-line", role: "alert" });
  const input = (label, props) => el("label", { class: "field" }, el("span", {}, t(label)), el("input", props));
  const role = el("select", { name: "role", value: "crew" }, ROLES.map((name) => el("option", { value: name }, roleName(name))));
  const form = el("form", { class: "people-form" },
    input("account.name", { name: "name", required: true, autocomplete: "off", autocapitalize: "none" }),
    input("account.password", { name: "password", type: "password", required: true, minlength: 10, autocomplete: "new-password" }),
    el("label", { class: "field" }, el("span", {}, t("people.role")), role),
    input("people.crew", { name: "crew", placeholder: t("people.crew.words") }),
    input("people.areas", { name: "areas", placeholder: "440605001003, …" }),
    el("button", { type: "submit", class: "primary" }, icon("plus"), t("people.add")));
  const dialog = el("dialog", { class: "people", "aria-labelledby": "people-title" },
    el("div", { class: "row" }, el("h2", { id: "people-title", class: "grow" }, t("people")), el("button", { type: "button", class: "quiet square", "aria-label": t("close"), on: { click: () => dialog.close() } }, icon("close"))),
    el("div", { class: "scroll-x" }, el("table", { class: "dash-table" }, el("thead", {}, el("tr", {}, ["account.name", "people.role", "people.crew", "people.areas", ""].map((key) => el("th", {}, key ? t(key) : "")))), body)),
    form, wrong);
  const guarded = async (act) => {
    wrong.textContent = "";
    try { await act(); } catch (error) { wrong.textContent = error.message || t("problem.unreachable"); }
  };
  const list = async () => put(body, (await get("accounts")).map((account) => row(account, change)));
  const change = (name, values) => guarded(async () => { await write("PATCH", `accounts/${encodeURIComponent(name)}`, values); await list(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(form));
    const areas = given.areas.split(/[\s,，]+/).filter(Boolean);
    guarded(async () => {
      await write("POST", "accounts", { name: given.name.trim(), password: given.password, role: given.role, areas, crew: given.crew.trim() || null });
      toast(t("people.added", { name: given.name }));
      form.reset();
      await list();
    });
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  await guarded(list);
}
