// The log: every change, hold, approval, refusal, revert and edit, who made it, and what came of it.
import { announce } from "../lib/announce.js";
import { hashOf, segmentHash } from "../lib/address.js";
import * as api from "../lib/api.js";
import { column, element } from "../lib/elements.js";
import { capital, clock, dayOf, longDay, person, segmentName, shortDay } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { say } from "../lib/language.js";
import { answerLink } from "../lib/links.js";
import { budgetCell } from "../parts/cells.js";
import { choice, dayField, moreButton, searchField } from "../parts/controls.js";
import { chip } from "../parts/decision.js";
import { complete } from "../parts/events.js";
import { cameChip, outcomeOf } from "../parts/outcome.js";
import { eventReason, eventTitle, setTogether } from "../parts/sentences.js";
import { eventIcon, putBack } from "./story.js";

const KINDS = ["increase", "decrease", "plan", "approval", "revert", "manual", "edit", "limit", "failed", "hold"];
const COLUMNS = 7;
const PAGE = 50; // rows that the server adds at once

export async function logView(parameters, page) {
  const [log, reasons] = await Promise.all([api.log(parameters), api.reasons()]);
  page.showDay(null);
  const change = (changed) => page.go(hashOf("log", { ...parameters, ...changed }));
  announce(say("log.count", { n: log.total }));
  return [
    element("h1", {}, say("view.log")),
    element("p.lead", {}, say("log.lead")),
    filters(log, parameters, change),
    log.rows.length ? table(log, parameters, reasons) : nothing(parameters),
  ];
}

function nothing(parameters) {
  const isFiltered = Object.values(parameters).some(Boolean);
  return element("div.state", {}, element("h2", {}, say("log.none")), element("p", {}, say(isFiltered ? "log.none_what" : "log.none_yet")));
}

function filters(log, parameters, change) {
  const kinds = [["", say("log.all_kinds")], ...KINDS.map((kind) => [kind, say(`log.kind_${kind}`)])];
  const people = [["", say("log.anybody")], ["planner", person(null)], ...log.who.filter((who) => who !== "planner").map((who) => [who, person(who)])];
  const today = dayOf(Date.now());
  return element("form.filters", { role: "search", "aria-label": say("view.log"), onsubmit: (event) => event.preventDefault() },
    searchField(parameters.q, say("filter.find"), (value) => change({ q: value.trim() })),
    choice("kind", say("log.kind"), parameters.kind, kinds, (value) => change({ kind: value })),
    choice("who", say("log.who"), parameters.who, people, (value) => change({ who: value })),
    dayField("from", say("log.from"), parameters.from, today, (value) => change({ from: value })),
    dayField("to", say("log.to"), parameters.to, today, (value) => change({ to: value })),
    element("a.button", { href: api.csvAddress(parameters), download: "", id: "csv" }, say("log.csv")),
    element("span.count", {}, say("log.count", { n: log.total })));
}

function table(log, parameters, reasons) {
  const head = [column(say("log.time")), column(say("today.segment")), column(say("log.what")), column(say("today.budget"), ".num"), column(say("log.result")), column(say("log.who")), column(say("log.why"))];
  const body = element("tbody");
  append(body, log.rows, "", reasons);
  const shown = element("table.log", {}, element("caption.unseen", {}, say("log.caption")), element("thead", {}, element("tr", {}, head)), body);
  const foot = element("p.foot");
  addMore(foot, body, log, parameters, reasons, log.rows.length);
  return [shown, foot];
}

function addMore(foot, body, log, parameters, reasons, count) {
  const left = log.total - count;
  if (!log.next) return foot.replaceChildren();
  const more = moreButton("more-log", say("log.more", { n: left, next: Math.min(left, PAGE) }), async () => {
    const answer = await api.log({ ...parameters, after: log.next });
    const first = append(body, answer.rows, dayOf(log.rows.at(-1).at), reasons);
    addMore(foot, body, { ...answer, total: log.total }, parameters, reasons, count + answer.rows.length);
    first?.querySelector("a")?.focus();
    announce(say("log.shown_more", { n: answer.rows.length }));
  });
  return foot.replaceChildren(more);
}

/** Add rows, with a heading where a new day begins; returns the first of them. */
function append(body, rows, dayBefore, reasons) {
  let day = dayBefore;
  let first = null;
  for (const event of rows.map(complete)) {
    const own = dayOf(event.at);
    if (own !== day) body.append(element("tr.day-row", {}, element("th", { colspan: COLUMNS, scope: "rowgroup" }, capital(longDay(own)))));
    day = own;
    const row = logRow(event, reasons);
    first ??= row;
    body.append(row);
  }
  return first;
}

function logRow(event, reasons) {
  const came = outcomeOf(event);
  const back = event.reverted_at ? element("b", {}, ` ${say("event.put_back", { day: shortDay(dayOf(event.reverted_at)), who: person(event.reverted_by) })}`) : null;
  const outcome = came ? element("span.advice", {}, came.state === "later" ? came.text : [cameChip(came), ` ${came.text}`]) : null;
  const isWaiting = event.status === "waiting_approval" && event.run_id;
  const isTogether = event.together > 1;
  const actions = [
    isTogether ? element("a", { href: hashOf("log", { kind: "limit", from: event.day, to: event.day, who: event.who }) }, say("event.together_list")) : null,
    event.log_id ? putBack(event.log_id) : null, // only where a revert would be taken
    isWaiting ? answerLink(event.run_id, say("link.answer")) : null,
  ].flat().filter(Boolean);
  const isSaid = event.kind === "limit" || event.kind === "manual";
  const text = isTogether ? setTogether(event) : isSaid ? `${eventTitle(event)}.` : "";
  return element("tr", {},
    element("td.at-time.muted", {}, clock(event.at)),
    element("td.at-segment", {}, event.segment && !isTogether ? element("a.name", { href: segmentHash(event.segment), title: event.segment }, segmentName(event)) : element("span.muted", {}, say("log.everything")),
      event.campaign ? element("span.account", {}, event.campaign) : null),
    element("td.at-what", {}, element("span.what", {}, icon(eventIcon(event)), kindOf(event))),
    element("td.at-budget", {}, isSaid ? "" : budgetCell(event)),
    element("td.at-result", {}, resultOf(event)),
    element("td.at-who", {}, person(event.who)),
    element("td.at-why", {}, element("div.why", {}, text, text ? " " : "", eventReason(event, reasons), back, outcome,
      actions.length ? element("span.advice", {}, actions.flatMap((action, place) => (place ? [" · ", action] : [action]))) : null)));
}

function kindOf(event) {
  if (event.kind !== "plan") return say(`log.is_${event.kind}`);
  return say(event.new > event.old ? "filter.increase" : "filter.decrease");
}

function resultOf(event) {
  if (event.kind === "limit") return chip("check", say("log.result_set"), "plain");
  if (event.kind === "hold") return chip("hold", say("outcome.held"), "plain");
  if (event.kind === "edit") return chip("hand", say("log.result_left"), "warn");
  if (event.reverted_at) return chip("undo", say("outcome.reverted"), "over");
  if (event.status === "success") return chip("check", say("outcome.applied"), "good");
  if (event.status === "pending" || event.status === "waiting_approval") return chip("wait", say("outcome.pending"), "warn");
  const declined = { approval_rejected: "rejected", approval_expired: "expired" }[event.error_code];
  return declined ? chip("cross", say(`outcome.${declined}`), "plain") : chip("cross", say("outcome.failed"), "bad");
}
