// "Why is the budget what it is, and did it help?", answered in a few sentences above the evidence.
import { element } from "../lib/elements.js";
import { daysBetween, daysLater, euros, percent, person, shortDay, tenth, UNKNOWN, whole } from "../lib/format.js";
import { say, tell } from "../lib/language.js";
import { isMove } from "../parts/events.js";
import { cameChip, othersWithin, outcomeOf } from "../parts/outcome.js";

const STORY_DAYS = 60;
const MOVED = 0.08; // of a target: what is told of it
const NEXT_STEP = 7; // days: a further step within them belongs to the same movement
const LATELY = 30; // days
const strong = (text) => element("b", {}, text);

/** `changes` are the events but holds, newest first; `days` the days of the chart, oldest first; `budget` what is in force, null = not known. */
export function answer({ row, changes, days, budget, hasCampaign }) {
  const made = changes.filter(isMove);
  const last = made.find((event) => event.kind === "plan");
  const others = last ? othersWithin(last, made) : 0;
  const came = last ? outcomeOf(last) : null;
  const before = made.find((event) => event !== last && isJudged(outcomeOf(event)));
  return element("section.answer", { "aria-labelledby": "question" },
    element("h2.question", { id: "question" }, say("answer.question")),
    element("p.reply", {}, last ? reply(last, made, came, days) : say(untouched({ made, budget, hasCampaign })), asked(row)),
    came && came.state !== "later" ? element("p", {}, cameChip(came), element("span.muted", {}, came.text)) : null,
    came?.state === "unclear" && others ? element("p.muted", {}, say("answer.others", { n: others })) : null,
    before && !isJudged(came) ? earlier(before) : null,
    overall({ row, made, days, budget }));
}

function isJudged(came) {
  return Boolean(came) && !["later", "unclear"].includes(came.state);
}

/** Whether an earlier change helped, while nobody can say that of the last one. */
function earlier(event) {
  const came = outcomeOf(event);
  const what = say("answer.before", { day: shortDay(event.day), old: euros(event.old), new: euros(event.new) });
  return element("p", {}, `${what} `, cameChip(came), element("span.muted", {}, came.text));
}

/** A question that nobody has answered for days is why nothing moves. */
function asked(row) {
  return row.outcome === "waiting" && row.asked_days > 1 ? ` ${say("answer.asked", { old: euros(row.old), new: euros(row.new) })} ${say("why.asked", { n: row.asked_days })}` : "";
}

/** Of a budget that the planner has not changed. */
function untouched({ made, budget, hasCampaign }) {
  if (budget === null) return hasCampaign ? "answer.budget_unknown" : "answer.no_budget";
  return made.length ? "answer.by_people" : "answer.unchanged";
}

/** Whether the target of that weekday was another one a week before, and what of the partners had moved: then it was not the market. */
function targetMoved(last, days) {
  const of = (day) => days.find((each) => each.date === day) ?? {};
  const [from, to] = [of(daysLater(last.day, -7)).target ?? null, of(last.day).target ?? null];
  if (from === null || to === null || Math.abs(to - from) < MOVED * from) return "";
  // A morning knows the capacity of the evening before. A target that a person set follows no partner.
  const isByPartners = !last.reasons?.includes("target_set_by_person");
  const partners = !isByPartners ? "" : partnersMoved(of(daysLater(last.day, -8)), of(daysLater(last.day, -1)), to);
  return `${say("answer.target_moved", { from: tenth(from), to: tenth(to) })}${partners}. `;
}

function partnersMoved(before, after, target) {
  if (before.capacity == null || after.capacity == null) return "";
  const many = before.partners === after.partners ? "" : ` (${say("answer.partners", { n: before.partners })} → ${whole(after.partners)})`;
  if (before.capacity === after.capacity) return many ? "" : `: ${say("answer.share_moved", { capacity: whole(after.capacity) })}`;
  const part = after.capacity > 0 && after.capacity < target ? say("answer.accepted", { part: percent(after.capacity / target) }) : "";
  return `: ${say("answer.capacity_moved", { from: whole(before.capacity), to: whole(after.capacity) })}${many}${part}`;
}

/** The steps of the planner that led here in one direction, the first first: nobody else moved it between them. */
function movement(last, made) {
  const steps = [last];
  for (const event of made.slice(made.indexOf(last) + 1)) {
    const next = steps[0];
    const isStep = event.kind === "plan" && !event.reverted_at && event.new > event.old === next.new > next.old;
    if (!isStep || event.new !== next.old || daysBetween(event.day, next.day) > NEXT_STEP) break;
    steps.unshift(event);
  }
  return steps;
}

/** A change that a person put back shortly before. */
function revertedBefore(first, made) {
  const back = made.find((event) => event.kind === "revert" && event.at < first.at && daysBetween(event.day, first.day) <= LATELY);
  return back ? `${say("answer.reverted_before", { day: shortDay(back.day), who: person(back.who), old: euros(back.old), new: euros(back.new) })} ` : "";
}

function reply(last, made, came, days) {
  const since = made.filter((event) => event.at > last.at)[0];
  const steps = movement(last, made);
  const [first] = steps;
  const direction = last.new > last.old ? "raised" : "lowered";
  const values = { first: shortDay(first.day), day: shortDay(last.day), n: steps.length, old: strong(euros(first.old)), new: strong(euros(last.new)) };
  const edge = ["at_floor", "at_cap"].find((code) => last.reasons?.includes(code));
  const because = first.expected === null ? "." : say("answer.because", { expected: tenth(first.expected), target: tenth(first.target) });
  const moved = [...tell(steps.length > 1 ? `answer.${direction}_steps` : `answer.${direction}`, values), edge ? say(`answer.${edge}`) : ""];
  const later = since
    ? [...tell(`answer.since_${since.kind}`, { day: shortDay(since.day), who: person(since.who), old: strong(euros(since.old)), new: strong(euros(since.new)) }), " "]
    : [];
  const frees = last.new < last.old && !last.reverted_at ? `${say("answer.frees", { cost: euros(first.old - last.new) })} ` : "";
  return [...later, ...moved, because, " ", targetMoved(first, days), frees, revertedBefore(first, made), whatCame(last, came)];
}

function whatCame(last, came) {
  if (last.reverted_at) {
    const days = Math.max(1, daysBetween(last.day, last.reverted_at.slice(0, 10)));
    return say("answer.reverted", { who: person(last.reverted_by), n: days });
  }
  if (!came) return "";
  if (came.state === "later") return `${came.text}.`;
  if (last.outcome.came === null) return "";
  return say("answer.came", { got: tenth(last.outcome.came), after: tenth(last.after) });
}

/** From where to where in sixty days, and in how many steps. */
function overall({ row, made, days, budget }) {
  const window = days.slice(-STORY_DAYS);
  const first = window.find((day) => day.budget !== null);
  const before = window.find((day) => day.expected !== null);
  const steps = made.filter((event) => first && event.day >= first.date);
  if (steps.length < 2 || !before || row.expected === null) return null;
  const count = (kind) => steps.filter((event) => event.kind === kind).length;
  const parts = [["plan", "answer.steps"], ["edit", "answer.hand"], ["revert", "answer.reverts"]]
    .map(([kind, key]) => [count(kind), key])
    .filter(([n]) => n)
    .map(([n, key]) => say(key, { n }));
  const oldest = steps.at(-1);
  const start = oldest.day === first.date ? oldest.old : first.budget;
  return element("p.muted", {}, say("answer.overall", {
    n: STORY_DAYS, start: euros(start), now: budget === null ? UNKNOWN : euros(budget), steps: parts.join(", "),
    expected_then: tenth(before.expected), expected: tenth(row.expected), target_then: tenth(before.target), target: tenth(row.target),
  }));
}
