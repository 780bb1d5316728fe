/** Who is signed in, and what he may. */

import { get, hasToken, keepToken, write } from "./api.js";

const KEPT = "pv-who"; // who was here last, for when there is no connection: no token, no password

let who = null;
let office = { tiles: null, may_read: false, signed_in: false };
const listeners = new Set();

function remember() {
  if (!who) return localStorage.removeItem(KEPT);
  const { name, role, areas, crew } = who;
  return localStorage.setItem(KEPT, JSON.stringify({ office, who: { name, role, areas, crew } }));
}

function remembered() {
  try { return JSON.parse(localStorage.getItem(KEPT) ?? "null"); } catch { return null; }
}

async function become(session) {
  who = session;
  keepToken(session?.csrf);
  office = await get("/web/settings.json").catch(() => office);
  remember();
  for (const tell of listeners) tell(session);
}

/** What the page has to know of the office: {tiles, may_read, signed_in}. */
export const officeSettings = () => office;

/** {name, role, areas} of who is signed in, or null. */
export const session = () => who;

/** Be told when somebody signs in or out. */
export const onSession = (tell) => listeners.add(tell);

/** Has he one of the roles? An admin has all of them. */
export const may = (...roles) => Boolean(who) && (who.role === "admin" || roles.includes(who.role));

/** Find out who is signed in, if anybody is; without a connection it is who was here last. */
export async function findSession() {
  try {
    office = await get("/web/settings.json");
  } catch (error) {
    const last = error.status === 0 ? remembered() : null;
    if (last) ({ office, who } = last);
    return;
  }
  who = office.signed_in ? await get("session", {}, { quiet: true }).catch(() => null) : null;
  keepToken(who?.csrf);
  remember();
}

/** The token that writing needs, for a page that was opened without a connection; false while there is none. */
export async function renew() {
  if (hasToken() || !who) return hasToken();
  const now = await get("session", {}, { quiet: true }).catch((error) => error);
  if (now.status === 401) await become(null);
  else if (now.csrf) { who = now; keepToken(now.csrf); remember(); }
  return hasToken();
}

/** Sign in; Problem when the server refuses. */
export const signIn = async (name, password) => become(await write("POST", "session", { name, password }, { quiet: true }));

/** Make the first account with the link that the server printed, and sign in with it. */
export async function setUp(token, name, password) {
  await write("POST", "setup", { token, name, password }, { quiet: true });
  await signIn(name, password);
}

/** Sign out. */
export async function signOut() {
  try {
    await write("DELETE", "session", null, { quiet: true });
  } finally {
    await become(null);
  }
}
