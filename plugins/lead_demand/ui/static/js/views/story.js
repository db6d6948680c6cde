// What happened to a segment, newest first: each change with its reason and what came of it; holds as spells.
import { announce, copy } from "../lib/announce.js";
import { element } from "../lib/elements.js";
import { daysBetween, dayOf, person, shortDay } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { say } from "../lib/language.js";
import { dagAddress, outLink, runAddress, runLink, taskAddress } from "../lib/links.js";
import { button } from "../parts/controls.js";
import { stateOf } from "../parts/events.js";
import { cameChip, outcomeOf } from "../parts/outcome.js";
import { eventChange, eventReason, eventTitle } from "../parts/sentences.js";

const AT_FIRST = 14;
const MORE = 20;

export function eventIcon(event) {
  const kinds = { revert: "undo", manual: "hand", edit: "hand", hold: "hold", limit: "limit" };
  return kinds[event.kind] || (stateOf(event) === "not_made" ? "cross" : event.new > event.old ? "up" : "down");
}

/** What is told once for days in a row: a hold for one reason, or a question that nobody answers; null for all else. */
function spellOf(event) {
  if (event.kind === "hold") return `hold ${event.reasons?.[0]}`;
  return event.error_code === "approval_expired" ? "expired" : null;
}

/** Days in a row that were alike, at one amount, become one entry, from the first to the last of them. */
function spells(events) {
  const found = [];
  for (const event of events) {
    const last = found.at(-1);
    const isSame = last && spellOf(event) !== null && spellOf(last) === spellOf(event) && last.new === event.new;
    if (isSame && daysBetween(event.day, last.from) <= 1) {
      last.length += event.day === last.from ? 0 : 1;
      last.from = event.day;
    } else {
      found.push({ ...event, from: event.day, length: 1 });
    }
  }
  return found;
}

export function story(events, reasons) {
  const list = spells(events);
  const entries = element("ol.story");
  const show = (count) => {
    const shown = list.slice(0, count).map((event) => entry(event, reasons));
    const left = list.length - count;
    const more = button(say("story.more", { n: left }), () => {
      show(count + MORE);
      entries.children[count]?.focus();
    }, { id: "more-story" });
    entries.replaceChildren(...shown, ...(left > 0 ? [element("li.rest", {}, more)] : []));
  };
  show(AT_FIRST);
  return element("section", { "aria-labelledby": "story-title" },
    element("h2.apart", { id: "story-title" }, say("story.title")),
    list.length ? entries : element("p.muted", {}, say("story.none")));
}

function entry(event, reasons) {
  const came = outcomeOf(event);
  const days = event.length > 1 ? `${shortDay(event.from)} – ${shortDay(event.day)}` : shortDay(event.day);
  const back = event.reverted_at ? element("b", {}, ` ${say("event.put_back", { day: shortDay(dayOf(event.reverted_at)), who: person(event.reverted_by) })}`) : null;
  const title = element("p", {},
    element("b", {}, eventTitle(event)),
    eventChange(event) ? element("span.muted", {}, ` ${eventChange(event)}`) : null,
    event.length > 1 ? element("span.muted", {}, ` ${say("story.for_days", { n: event.length })}`) : null,
    ". ", eventReason(event, reasons), back);
  const outcome = came ? element("p.came", {}, cameChip(came), came.state === "later" ? null : element("span.muted", {}, came.text)) : null;
  return element(`li.${event.kind}`, { id: `event-${event.at}-${event.kind}`, tabindex: "-1" },
    element("span.when", {}, days),
    element("span.dot", {}, icon(eventIcon(event))),
    element("div.body", {}, title, outcome, evidence(event)));
}

function evidence(event) {
  if (event.kind === "hold") return null;
  const links = [];
  if (event.run_id && event.kind === "revert") links.push(runLink(event.run_id, runAddress("lead_budget_revert", event.run_id), say("link.run_short")));
  else if (event.run_id) links.push(runLink(event.run_id, taskAddress("lead_budgets", event.run_id, "plan_budgets"), say("link.task_log")));
  if (event.may_revert) links.push(...putBack(event.log_id));
  return links.length ? element("p.evidence", {}, links.flatMap((link, place) => (place ? [" · ", link] : [link]))) : null;
}

/** The page only reads. A revert is a run of lead_budget_revert, whose form asks for the id of the change: one click copies
 *  it, the next one opens the form. */
export function putBack(id) {
  const copied = button(say("revert.copy"), async (event) => {
    const isCopied = await copy(id);
    event.target.textContent = isCopied ? say("revert.copied") : id;
    announce(say(isCopied ? "revert.copied_what" : "revert.not_copied", { id }));
  }, { title: say("revert.what", { id }) });
  copied.className = "link-like";
  return [copied, outLink(dagAddress("lead_budget_revert"), say("revert.open"))];
}
