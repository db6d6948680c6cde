// The answers of the server. All of them are read only.

/** `kind`: signed_out, forbidden, not_found, bad_filter, database_down, no_network or broken. */
export class Trouble extends Error {
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

const KINDS = { 401: "signed_out", 403: "forbidden", 404: "not_found", 422: "bad_filter", 503: "database_down" };
const PATIENCE = 30_000; // milliseconds

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value)).toString();
  let answer;
  try {
    answer = await fetch(`api/${path}${query ? `?${query}` : ""}`, {
      credentials: "same-origin",
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (error) {
    throw new Trouble(error.name === "TimeoutError" ? "database_down" : "no_network");
  }
  if (!answer.ok) throw new Trouble(KINDS[answer.status] || "broken");
  // A session that ended may be answered with the page of the login.
  if (!(answer.headers.get("content-type") || "").includes("json")) throw new Trouble("signed_out");
  return answer.json();
}

let known = null;
/** Code → phrase, meaning, advice; asked for once. */
export async function reasons() {
  known ??= await ask("reasons");
  return known;
}

export const today = (filters) => ask("today", filters);
export const segment = (code, days, day) => ask(`segment/${encodeURIComponent(code)}`, { days, day });
export const log = (filters) => ask("log", filters);
export const health = () => ask("health");

export function csvAddress(filters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value)).toString();
  return `api/log.csv${query ? `?${query}` : ""}`;
}
