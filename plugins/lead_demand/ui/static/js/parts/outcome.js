// What came of a change after seven days. The verdict is the database's (view budget_outcomes), the one that Health counts.
import { daysLater, shortDay, tenth } from "../lib/format.js";
import { say } from "../lib/language.js";
import { chip } from "./decision.js";
import { isMove } from "./events.js";

const WEEK = 7;

/** {state, label, text}; null where there is nothing to judge: reverted, not ours, not made, or without an estimate.
 *  States: later, unclear, on_target, nearer, not_nearer. */
export function outcomeOf(event) {
  const told = event.outcome;
  if (event.kind !== "plan" || event.status !== "success" || event.reverted_at || !told) return null;
  if (told.target === null || told.alone === null || event.after === null) return null;
  if (told.came === null && told.is_followed) return { state: "unclear", label: say("came.unclear"), text: "" };
  if (told.came === null) {
    return { state: "later", label: "", text: say("came.later", { day: shortDay(daysLater(event.day, WEEK)) }) };
  }
  if (!told.verdict) return null;
  const compared = told.is_as_promised !== false ? "as_promised" : told.came > told.promised ? "more" : "fewer";
  const figures = { after: tenth(event.after), got: tenth(told.came), alone: tenth(told.alone), target: tenth(told.target) };
  return { state: told.verdict, label: say(`came.${told.verdict}`), text: say(`came.${compared}`, figures) + afterTwoWeeks(event) };
}

function afterTwoWeeks(event) {
  return event.r14 === null ? "" : say("came.after_14", { got: tenth(event.r14) });
}

/** How many other changes took effect within the seven days of this one. */
export function othersWithin(event, changes) {
  const last = daysLater(event.day, WEEK);
  return changes.filter((other) => other.at !== event.at && isMove(other) && other.day >= event.day && other.day < last).length;
}

const TONES = { on_target: ["check", "good"], nearer: ["check", "plain"], not_nearer: ["cross", "bad"], unclear: ["ask", "plain"], later: ["wait", "plain"] };

export function cameChip(came) {
  const [kind, tone] = TONES[came.state];
  return chip(kind, came.label || came.text, tone);
}
