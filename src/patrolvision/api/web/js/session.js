/** Who is signed in, and what he may. */

import { get, keepToken, write } from "./api.js";

let who = null;
let office = { tiles: null, may_read: false, signed_in: false };
const listeners = new Set();

async function become(session) {
  who = session;
  keepToken(session?.csrf);
  office = await get("/web/settings.json").catch(() => office);
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

/** Find out who is signed in, if anybody is. */
export async function findSession() {
  office = await get("/web/settings.json").catch(() => office);
  if (!office.signed_in) return;
  who = await get("session", {}, { quiet: true }).catch(() => null);
  keepToken(who?.csrf);
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
