// Events of a segment and entries of the log, made alike: each kind leaves out what it has no use for.

const BLANK = {
  segment: null, old: null, new: null, status: null, error_code: null, error_detail: null, who: null, run_id: null, log_id: null,
  reasons: [], target: null, expected: null, low: null, high: null, after: null, outcome: null, r14: null, asked_days: null, reverted_at: null, reverted_by: null,
};
const MOVES = new Set(["plan", "revert", "edit"]);
const NOT_MADE = new Set(["failed", "rejected", "expired", "refused"]);

export function complete(event) {
  const made = { ...BLANK, ...event };
  // What the channel's own history tells has happened.
  if (event.kind === "edit") made.status = "success";
  return made;
}

/** Limits that one person set on one day are one event with `set`: [{column, old, new}]. Newest first, as `events` are. */
export function gatherLimits(events) {
  const found = [];
  const known = new Map();
  for (const event of events) {
    const key = `${event.day} ${event.who}`;
    const part = { column: event.column, old: event.old, new: event.new };
    if (event.kind !== "limit") found.push(event);
    else if (known.has(key)) known.get(key).set.unshift(part);
    else {
      const first = { ...event, set: [part] };
      known.set(key, first);
      found.push(first);
    }
  }
  return found;
}

/** Whether it took effect on the budget itself: what a person recorded of another channel does not. */
export function isMove(event) {
  return event.status === "success" && MOVES.has(event.kind);
}

/** made, not_made, proposed (in a dry run) or open. */
export function stateOf(event) {
  if (event.status === "success") return "made";
  if (event.status === "dry_run") return "proposed";
  return NOT_MADE.has(event.status) ? "not_made" : "open";
}
