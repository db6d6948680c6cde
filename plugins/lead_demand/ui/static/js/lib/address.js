// What is shown is in the address, so that a link to it can be shared: #/today?region=utrecht, #/segment/schilder_utrecht.

const VIEWS = ["today", "segment", "log", "health"];

/** The view, its argument (the code of a segment) and its parameters. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, argument] = path.split("/");
  return {
    view: VIEWS.includes(name) ? name : "today",
    argument: argument ? decoded(argument) : "",
    parameters: Object.fromEntries(new URLSearchParams(query)),
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a broken escape is looked up as it stands, and not found
  }
}

/** The hash of a view with those parameters that are set. */
export function hashOf(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value)).toString();
  return `#/${path}${query ? `?${query}` : ""}`;
}

export function segmentHash(code) {
  return hashOf(`segment/${encodeURIComponent(code)}`);
}

/** A tab of a run opens that run's morning: the day in the run's id, which begins with its type. */
export function momentOfRun() {
  const run = (new URLSearchParams(location.search).get("run") || "").replace(" ", "+"); // a plus that was not escaped
  const found = run.match(/__(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))/);
  return found ? found[1] : null;
}
