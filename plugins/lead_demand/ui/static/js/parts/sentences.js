// Sentences from the columns of a decision, so that words and numbers are the reader's. The stored sentence is the record.
import { capital, change, daysBetween, daysLater, dayOf, decimal, euros, person, shortDay, tenth, UNKNOWN, whole } from "../lib/format.js";
import { has, say } from "../lib/language.js";
import { isInAirflow } from "../lib/links.js";
import { stateOf } from "./events.js";

// Reasons that only shaped a change, in the order in which they are told.
const SHAPING = [
  "step_limit", "capacity_moved", "follow_through", "at_cap", "at_floor", "segment_month_budget",
  "branch_month_budget", "total_cap", "month_budget",
  "daily_increase_limit", "below_floor", "above_cap", "partners_absent", "target_set_by_person",
];
const LATELY = 14; // days
// Holds where a person can do something although nothing is missing.
const ADVISED = new Set(["not_budget_limited", "at_cap", "at_floor", "shared_budget", "total_cap", "smaller_than_unit"]);

/** A field of a reason in the reader's language: "phrase", "meaning" or "todo". `reasons` has the English. */
export function wordsOf(code, field, reasons) {
  const key = `reasons.${code}.${field}`;
  return has(key) ? say(key) : reasons[code]?.[field] || (field === "todo" ? "" : code.replaceAll("_", " "));
}

/** What a finding is called. */
export function findingName(code) {
  return has(`finding.${code}`) ? say(`finding.${code}`) : capital(code.replaceAll("_", " "));
}

/** A reason as an entry of a list. */
export function reasonLabel(code, reasons) {
  return capital(wordsOf(code, "phrase", reasons));
}

/** What to do about it, and who does; "" where there is nothing to do. */
export function adviceOf(code, reasons) {
  return reasons[code]?.blocking || ADVISED.has(code) ? doing(code, reasons) : "";
}

/** What to do about a reason or a finding, whatever it is, and who does. */
function doing(code, reasons) {
  const what = has(`short.${code}.todo`) ? say(`short.${code}.todo`) : wordsOf(code, "todo", reasons);
  return say("who.does", { who: say(`who.${reasons[code]?.who || "marketing"}`), what: what || say("why.in_health") });
}

function meaningOf(code, reasons) {
  return has(`short.${code}.meaning`) ? say(`short.${code}.meaning`) : wordsOf(code, "meaning", reasons);
}

function shapes(codes, reasons) {
  const shaping = SHAPING.filter((code) => codes?.includes(code));
  return shaping.map((code) => `; ${has(`shape.${code}`) ? say(`shape.${code}`) : wordsOf(code, "phrase", reasons)}`).join("");
}

/** Why, for a row of today: {text, advice}. */
export function why(row, reasons) {
  if (!row.action) return { text: say("why.not_evaluated"), advice: "" };
  if (row.outcome === "reverted") {
    const values = { who: person(row.reverted_by), at: shortDay(dayOf(row.reverted_at)) };
    return { text: say("why.reverted", values), advice: "" };
  }
  if (row.action !== "hold") {
    const main = row.reasons.includes("capacity_zero") ? "capacity_zero" : row.action;
    const text = [`${say(`why.${main}`)}${shapes(row.reasons, reasons)}.`, costs(row), row.asked_days > 1 ? say("why.asked", { n: row.asked_days }) : ""];
    return { text: text.filter(Boolean).join(" "), advice: refusalOf(row, reasons) };
  }
  const first = row.cause;
  const text = (first ? heldBecause(first, row, reasons) : say("why.held")) + changedLately(first, row);
  const [own, open] = [first ? adviceOf(first, reasons) : "", row.finding ? doing(row.finding, reasons) : ""];
  return { text, advice: row.is_blocked ? own || open : open || own };
}

/** What a change should bring, and at what price; or what it saves. */
function costs(row) {
  const [more, leads] = [row.new - row.old, row.after === null || row.expected === null ? null : row.after - row.expected];
  if (row.old === null || row.new === null) return "";
  if (more < 0) return say("why.frees", { cost: euros(-more) });
  return leads > 0 ? say("why.brings", { leads: tenth(leads), cost: euros(more), each: euros(Math.round(more / leads)) }) : "";
}

/** Of a budget that stays: when it moved last, if that is not long ago. */
function changedLately(code, row) {
  const isTold = code === "cool_down" || code === "foreign_edit";
  if (isTold || !row.last_change || !row.evaluated_at || daysBetween(row.last_change, dayOf(row.evaluated_at)) > LATELY) return "";
  return ` ${say("why.changed", { day: shortDay(row.last_change) })}`;
}

function heldBecause(code, row, reasons) {
  if (code === "cool_down" && row.last_change) {
    return say("why.cool_down", { day: shortDay(row.last_change), free: shortDay(freeFrom(row.last_change, row.cooldown_days)) });
  }
  if (code === "foreign_edit" && row.changed_at) {
    return say("why.foreign_edit", { day: shortDay(dayOf(row.changed_at)), who: person(row.changed_by || "?") });
  }
  return meaningOf(code, reasons);
}

function refusalOf(row, reasons) {
  if (!row.error_code || row.outcome === "rejected" || row.outcome === "expired") return "";
  return explained(row.error_code, reasons) || say("why.error", { code: row.error_code });
}

/** What an error code means, where the catalogue or the server knows it. */
function explained(code, reasons) {
  return has(`reasons.${code}.meaning`) || reasons[code]?.meaning ? wordsOf(code, "meaning", reasons) : "";
}

function freeFrom(day, coolDown) {
  return daysLater(day, Math.max(coolDown || 1, 1));
}

/** What a limit is called; of a branch's, the log has the branch behind the name of the column. */
function limitName(column) {
  const [name, ...of] = column.split(" ");
  return has(`limit.${name}`) ? [say(`limit.${name}`), ...of].join(" ") : column;
}

function limitSet({ column, old, new: becomes }) {
  return say(old === null ? "event.limit_first" : "event.limit", { column: limitName(column), old: limitValue(old), new: limitValue(becomes) });
}

/** What a column held, as text: a number, a switch, or a word. */
function limitValue(text) {
  if (text === null) return UNKNOWN;
  if (text === "true" || text === "false") return say(text === "true" ? "limits.on" : "limits.off");
  return /^-?\d+(\.\d+)?$/.test(text) ? decimal(Number(text)) : text;
}

/** Many values of one limit, set together. */
export function setTogether(event) {
  return say("event.together", { n: event.together, column: limitName(event.column.split(" ")[0]) });
}

const moved = (event) => `${euros(event.old)} → ${euros(event.new)}`;

/** The title of an event: what happened, in a few words. */
export function eventTitle(event) {
  if (event.kind === "hold") return say("event.held", { amount: euros(event.new) });
  if (event.kind === "limit") return (event.set || [event]).map(limitSet).join(", ");
  if (event.kind === "plan") return stateOf(event) === "made" ? moved(event) : say(`event.${stateOf(event)}`, { moved: moved(event) });
  if (event.kind === "manual") return say("event.manual", { what: (event.action || "").replaceAll("_", " ") });
  return say(`event.${event.kind}`, { moved: moved(event) });
}

/** By how much, of an event that moves a budget. */
export function eventChange(event) {
  const isMove = event.kind === "plan" || event.kind === "revert" || event.kind === "edit";
  return isMove && event.old > 0 && event.new !== null ? change(event.new / event.old - 1) : "";
}

/** Of the reasons of a hold, the one that somebody can do something about, else the first: what the server calls its cause. */
function causeOf(codes, reasons) {
  return codes.find((code) => reasons[code]?.blocking) || codes[0];
}

/** Why it happened, in one sentence or two. */
export function eventReason(event, reasons) {
  const who = person(event.who);
  if (event.kind === "hold") return event.reasons?.length ? meaningOf(causeOf(event.reasons, reasons), reasons) : "";
  if (event.kind !== "plan") return say(`event.${event.kind}_why`, { who });
  const values = { expected: tenth(event.expected), low: tenth(event.low), high: tenth(event.high), target: tenth(event.target), shapes: shapes(event.reasons, reasons) };
  const because = event.expected === null ? "" : say("event.because", values);
  if (stateOf(event) !== "not_made") return capital(because) + (event.who ? ` ${say("event.approved", { who })}` : "");
  const refused = { approval_rejected: say("event.rejected", { who }), approval_expired: say("event.expired") };
  const answer = refused[event.error_code];
  if (answer) {
    const often = event.asked_days > 1 ? say("event.asked_days", { n: event.asked_days }) : answer;
    return `${often} ${because ? say("event.asked", { because }) : ""}`;
  }
  const cause = explained(event.error_code, reasons) || event.error_detail || event.error_code || "";
  return `${cause} ${because ? say("event.wanted", { because }) : ""}`;
}

/** What would happen next: [headline, explanation]. */
export function next(segment, reasons) {
  const { today: row, limits, settings } = segment;
  if (settings.kill_switch) return [say("next.stopped"), say("next.stopped_why")];
  if (!row.action) return [say("next.not_evaluated"), say("next.not_evaluated_why")];
  if (row.outcome === "waiting") {
    const until = settings.approval_deadline.slice(0, 5);
    return [say("next.waits", { moved: moved(row) }), row.asking_run_id && isInAirflow(row.asking_run_id) ? say("next.waits_why", { until }) : say("link.unasked")];
  }
  const first = row.cause;
  if (row.is_blocked) return [say("next.blocked"), adviceOf(first, reasons) || wordsOf(first, "meaning", reasons)];
  return heading(row, limits, reasons) || staying(row, first, limits, reasons);
}

function heading(row, limits, reasons) {
  const inForce = row.outcome === "applied" ? row.new : row.old;
  const isOpen = row.reasons.includes("below_capacity") || row.reasons.includes("above_capacity");
  if (!isOpen || row.wanted === null || !inForce || row.reasons[0] === "not_budget_limited") return null;
  const wanted = Math.min(Math.max(row.wanted, limits?.floor ?? 0), limits?.cap ?? row.wanted);
  const isUp = wanted > inForce;
  const step = isUp ? limits?.max_increase_pct : limits?.max_decrease_pct;
  if (Math.abs(wanted - inForce) < 1 || !step) return null;
  const steps = Math.ceil(Math.abs(Math.log(wanted / inForce) / Math.log(1 + (isUp ? step : -step) / 100)) - 1e-6);
  const free = row.last_change ? ` ${say("next.not_before", { day: shortDay(freeFrom(row.last_change, limits?.cooldown_days)) })}` : "";
  const size = `${isUp ? "+" : "−"}${whole(step)}%`;
  return [say("next.heads_for", { amount: euros(Math.round(wanted)) }), say("next.steps", { n: steps, size }) + free];
}

function staying(row, first, limits, reasons) {
  if (["within_dead_band", "not_significant"].includes(first)) {
    const edge = row.new === row.floor ? ` ${say("next.at_floor")}` : row.new === row.cap ? ` ${say("next.at_cap")}` : "";
    return [say("next.stays"), say("next.stays_why", { target: tenth(row.target) }) + edge];
  }
  if (first === "cool_down" && row.last_change) {
    return [say("next.free_from", { day: shortDay(freeFrom(row.last_change, limits?.cooldown_days)) }), say("next.cool_down_why")];
  }
  return [capital(wordsOf(first || "held", "phrase", reasons)), adviceOf(first, reasons) || wordsOf(first || "held", "meaning", reasons)];
}
