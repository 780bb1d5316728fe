/** Signing in and out, the first account, and the menu of who is signed in. */

import { el, icon, toast } from "./dom.js";
import { t } from "./i18n.js";
import { write } from "./api.js";
import { showPeople } from "./people.js";
import { session, setUp, signIn, signOut } from "./session.js";
import { roleName } from "./words.js";

let asking = null;

function field(label, props) {
  const input = el("input", { required: true, ...props });
  return [el("label", { class: "field" }, el("span", {}, label), input), input];
}

/** A dialog with a form; `act` may throw a Problem, whose words are shown. */
function ask(title, words, fields, button, act) {
  if (asking) return;
  const wrong = el("p", { class: "error-line", role: "alert" });
  const go = el("button", { class: "primary", type: "submit" }, button);
  const form = el("form", { class: "stack", method: "dialog" },
    el("h2", { id: "ask-title" }, title), words ? el("p", { class: "soft small" }, words) : null, fields, wrong,
    el("div", { class: "row" }, el("button", { type: "button", class: "quiet", on: { click: () => asking.close() } }, t("cancel")), el("span", { class: "grow" }), go));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    wrong.textContent = "";
    try {
      await act();
      asking?.close();
    } catch (error) {
      wrong.textContent = error.message || t("problem.unreachable");
    } finally {
      go.disabled = false;
    }
  });
  asking = el("dialog", { "aria-labelledby": "ask-title" }, form);
  asking.addEventListener("close", () => { asking?.remove(); asking = null; });
  document.body.append(asking);
  asking.showModal();
}

/** Ask for a name and a password. */
export function askSignIn() {
  const [nameField, name] = field(t("account.name"), { name: "name", autocomplete: "username", autofocus: true, autocapitalize: "none" });
  const [passField, password] = field(t("account.password"), { name: "password", type: "password", autocomplete: "current-password" });
  ask(t("account.signin"), null, [nameField, passField], t("account.signin"), async () => {
    await signIn(name.value.trim(), password.value);
    toast(t("account.welcome", { name: session().name }));
  });
}

/** Make the first account with the one-time token of the link. */
export function askSetUp(token) {
  const [nameField, name] = field(t("account.name"), { name: "name", autocomplete: "username", autofocus: true, autocapitalize: "none" });
  const [passField, password] = field(t("account.password"), { name: "password", type: "password", autocomplete: "new-password" });
  const [againField, again] = field(t("account.again"), { name: "again", type: "password", autocomplete: "new-password" });
  ask(t("account.setup"), t("account.setup.words"), [nameField, passField, againField], t("account.create"), async () => {
    if (password.value !== again.value) throw new Error(t("account.differ"));
    await setUp(token, name.value.trim(), password.value);
    toast(t("account.welcome", { name: session().name }));
  });
}

const hideMenu = () => document.getElementById("account-menu")?.hidePopover();

/** Change one's own password; that ends the sessions, so one signs in again with the new one. */
function askPassword() {
  const { name } = session();
  const [passField, password] = field(t("account.new"), { name: "password", type: "password", autocomplete: "new-password", autofocus: true, minlength: 10 });
  const [againField, again] = field(t("account.again"), { name: "again", type: "password", autocomplete: "new-password" });
  hideMenu();
  ask(t("account.change"), null, [passField, againField], t("account.change"), async () => {
    if (password.value !== again.value) throw new Error(t("account.differ"));
    await write("PATCH", `accounts/${encodeURIComponent(name)}`, { password: password.value });
    await signIn(name, password.value);
    toast(t("account.changed"));
  });
}

function menu(who) {
  return el("div", { id: "account-menu", popover: "auto", class: "menu" },
    el("p", { class: "menu-name" }, who.name),
    el("p", { class: "soft small" }, roleName(who.role), who.areas?.length ? ` · ${who.areas.join(", ")}` : ""),
    who.role === "admin" ? el("button", { type: "button", on: { click: () => { hideMenu(); showPeople(); } } }, icon("user"), t("people")) : null,
    el("button", { type: "button", on: { click: askPassword } }, t("account.change")),
    el("button", { type: "button", on: { click: signOut } }, t("account.signout")));
}

/** The button at the end of the bar: sign in, or the menu. */
export function accountButton() {
  const who = session();
  if (!who) return el("button", { type: "button", class: "signin", on: { click: askSignIn } }, icon("user"), el("span", {}, t("account.signin")));
  return el("div", { class: "account" },
    el("button", { type: "button", class: "quiet", popovertarget: "account-menu", "aria-label": t("account.menu", { name: who.name }) }, el("span", { class: "avatar", "aria-hidden": "true" }, [...who.name][0].toUpperCase()), el("span", { class: "account-name" }, who.name)),
    menu(who));
}
