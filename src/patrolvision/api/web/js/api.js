/** The public API, and nothing but it: reading, writing with the session's token, problems as errors. */

const ROOT = "/api/v1";
let csrf = null;
const outsiders = new Set();

/** What the server refused, in its own words (RFC 9457); status 0 when it could not be reached. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

/** Be told when the server asks for a sign-in. */
export const onOutside = (tell) => outsiders.add(tell);

/** Keep the token that writing needs. */
export const keepToken = (token) => { csrf = token ?? null; };

/** Is there a token? */
export const hasToken = () => csrf !== null;

/** A key that makes a repeated write one write. */
export const freshKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

async function problem(answer) {
  let body = {};
  try { body = await answer.json(); } catch { /* not JSON: the status speaks */ }
  const detail = typeof body.detail === "string" ? body.detail : "";
  return new Problem(answer.status, body.title ?? answer.statusText, detail);
}

async function send(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path.startsWith("/") ? path : `${ROOT}/${path}`, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "");
  }
  if (answer.status === 401 && !options.quiet) for (const tell of outsiders) tell();
  if (!answer.ok) throw await problem(answer);
  return answer;
}

/** "?a=1&b=2" of what is given; null and "" are left out, lists are repeated. */
export function query(given) {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(given ?? {})) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") pairs.append(name, one);
  }
  const text = pairs.toString();
  return text ? `?${text}` : "";
}

/** The JSON at an address. */
export async function get(path, given = {}, options = {}) {
  return (await send(path + query(given), options)).json();
}

/** One page of a list and the address of the next one, or null. */
export async function page(path, given = {}, options = {}) {
  const answer = await send(path + query(given), options);
  const next = /<([^>]+)>\s*;\s*rel="next"/.exec(answer.headers.get("Link") ?? "");
  return { rows: await answer.json(), next: next ? new URL(next[1], location.href).pathname + new URL(next[1], location.href).search : null };
}

/** Write; answers the JSON that came back, or null. */
export async function write(method, path, body = null, { key = freshKey(), version = null, quiet = false, keepalive = false } = {}) {
  const isForm = body instanceof FormData;
  const headers = { Accept: "application/json", "Idempotency-Key": key };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (version !== null) headers["If-Match"] = `"${version}"`;
  if (body !== null && !isForm) headers["Content-Type"] = "application/json";
  const sent = body === null ? undefined : isForm ? body : JSON.stringify(body);
  const answer = await send(path, { method, headers, body: sent, quiet, keepalive });
  return answer.status === 204 ? null : answer.json();
}

/** Is this an error of the connection or of a busy server, so that trying again is right? */
export const isPassing = (error) => error instanceof Problem && (error.status === 0 || error.status === 429 || error.status >= 502);
