/** Who is signed in, and what he may. */

import { get, keepToken, Problem, write } from "./api.js";

let who = null;
const listeners = new Set();

const FLAG = "pv-signed-in"; // the cookie itself cannot be seen from here

function become(session) {
  who = session;
  if (session) localStorage.setItem(FLAG, "1"); else localStorage.removeItem(FLAG);
  keepToken(session?.csrf);
  for (const tell of listeners) tell(session);
}

/** {name, role, areas} of who is signed in, or null. */
export const session = () => who;

/** Be told when somebody signs in or out. */
export const onSession = (tell) => listeners.add(tell);

/** Has he one of the roles? An admin has all of them. */
export const may = (...roles) => Boolean(who) && (who.role === "admin" || roles.includes(who.role));

/** Find out who is signed in; nobody is asked for where nobody has signed in. */
export async function findSession() {
  if (!localStorage.getItem(FLAG)) return;
  try {
    become(await get("session", {}, { quiet: true }));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status !== 0) become(null);
  }
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
    become(null);
  }
}
