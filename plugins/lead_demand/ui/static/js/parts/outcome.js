// What came of a change after seven days: the rule of the view budget_outcomes, and whether the target was met.
import { daysLater, shortDay, tenth } from "../lib/format.js";
import { say } from "../lib/language.js";
import { chip } from "./decision.js";
import { isMove } from "./events.js";

const QUANTILE = 1.2816; // of the 80 % interval
const CLOSE = 0.1; // of the target: what counts as met, beside chance
const WEEK = 7;

/** {state, label, text}; null where there is nothing to judge: reverted, not ours, not made, or without an estimate.
 *  `others` is the number of other changes within its seven days: with one of them nobody can say which of the two did
 *  it. States: later, unclear, good (target met), part (nearer to it), missed. */
export function outcomeOf(event, others = 0) {
  if (event.kind !== "plan" || event.status !== "success" || event.reverted_at) return null;
  if (event.target === null || event.expected === null || event.after === null) return null;
  if (event.r7 === null) {
    return { state: "later", label: "", text: say("came.later", { day: shortDay(daysLater(event.day, WEEK)) }) };
  }
  const range = Math.sqrt(((event.high - event.low) / 2) ** 2 + (QUANTILE ** 2 * event.after) / WEEK);
  const compared = Math.abs(event.r7 - event.after) <= range ? "as_promised" : event.r7 > event.after ? "more" : "fewer";
  const figures = { after: tenth(event.after), got: tenth(event.r7), target: tenth(event.target) };
  const state = others ? "unclear" : stateOf(event);
  return { state, label: say(`came.${state}`), text: say(`came.${compared}`, figures) + afterTwoWeeks(event) };
}

function stateOf(event) {
  const missing = Math.abs(event.r7 - event.target);
  if (missing <= CLOSE * event.target + QUANTILE * Math.sqrt(event.target / WEEK)) return "good";
  return missing < Math.abs(event.expected - event.target) ? "part" : "missed";
}

function afterTwoWeeks(event) {
  return event.r14 === null ? "" : say("came.after_14", { got: tenth(event.r14) });
}

/** How many other changes took effect within the seven days of this one. */
export function othersWithin(event, changes) {
  const last = daysLater(event.day, WEEK);
  return changes.filter((other) => other.at !== event.at && isMove(other) && other.day >= event.day && other.day < last).length;
}

const TONES = { good: ["check", "good"], part: ["check", "plain"], missed: ["cross", "bad"], unclear: ["ask", "plain"], later: ["wait", "plain"] };

export function cameChip(came) {
  const [kind, tone] = TONES[came.state];
  return chip(kind, came.label || came.text, tone);
}
