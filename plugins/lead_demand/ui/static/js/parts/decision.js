// What a row of today says: which side of its target a segment is on, and how its decision ended.
import { element } from "../lib/elements.js";
import { icon } from "../lib/icons.js";
import { say } from "../lib/language.js";

/** Expected leads beyond the target; null where either is unknown. */
export function beyondTarget(row) {
  return row.target === null || row.expected === null ? null : row.expected - row.target;
}

/** "short" or "over" where the target lies outside the interval of the estimate, "ok" inside it, "" if unknown. */
export function sideOf(row) {
  if (row.target === null || row.expected === null) return "";
  if (row.high < row.target) return "short";
  return row.low > row.target ? "over" : "ok";
}

/** A hold that only a person can end. */
export function needsRepair(row) {
  return row.outcome === "held" && row.part === "person";
}

/** The budget that is in force now. */
export function budgetInForce(row) {
  return row.outcome === "applied" ? row.new : row.old;
}

export function chip(kind, label, tone) {
  return element(`span.chip.${tone}`, {}, icon(kind), label);
}

const OUTCOMES = {
  applied: ["check", "good"],
  waiting: ["wait", "warn"],
  pending: ["wait", "warn"],
  held: ["hold", "plain"],
  dry_run: ["dash", "plain"],
  refused: ["cross", "bad"],
  failed: ["cross", "bad"],
  rejected: ["cross", "plain"],
  expired: ["cross", "plain"],
  reverted: ["undo", "over"],
};

export function outcomeChip(row) {
  if (!row.action) return chip("dash", say("outcome.none"), "plain");
  if (needsRepair(row)) return chip("warn", say("outcome.repair"), "warn");
  const [kind, tone] = OUTCOMES[row.outcome] || ["hold", "plain"];
  return chip(kind, say(`outcome.${row.outcome}`), tone);
}
