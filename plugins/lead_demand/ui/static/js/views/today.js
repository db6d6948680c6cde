// Today: is the day decided, what waits for a person, and one row per segment. Any past day by its date.
import { announce } from "../lib/announce.js";
import { hashOf, segmentHash } from "../lib/address.js";
import * as api from "../lib/api.js";
import { column, element, unseen } from "../lib/elements.js";
import { capital, euros, place, segmentName, unended, whole } from "../lib/format.js";
import { say } from "../lib/language.js";
import { answerLink, dagAddress, outLink } from "../lib/links.js";
import { budgetCell, gapCell, leadsCell } from "../parts/cells.js";
import { button, choice, dayField, moreButton, searchField, state } from "../parts/controls.js";
import { chip, outcomeChip } from "../parts/decision.js";
import { adviceOf, reasonLabel, why, wordsOf } from "../parts/sentences.js";
import { banners, strip, underVerdict, verdict } from "./summary.js";

const FILTERS = ["q", "branch", "region", "action", "reason"];
const ACTIONS = ["increase", "decrease", "hold", "short", "over"];
const COLUMNS = 6;
const PAGE = 25; // rows that the server adds at once
let areFiltersOpen = false; // on a phone, from one view of the page to the next

export async function todayView(parameters, page) {
  const [today, reasons] = await Promise.all([api.today(parameters), api.reasons()]);
  page.showDay(today.day);
  if (isEmpty(today, parameters)) return firstMorning(today);
  const change = (changed) => page.go(hashOf("today", { ...parameters, ...changed }));
  const isFiltered = FILTERS.some((name) => parameters[name]);
  const matched = today.groups.reduce((sum, group) => sum + group.total, 0);
  if (isFiltered) announce(say("today.matched", { n: matched }));
  return [
    element("h1", {}, verdict(today)),
    underVerdict(today),
    banners(today),
    strip(today, parameters.action, change, reasons),
    filters(today, parameters, change, { isFiltered, matched, reasons }),
    matched || !isFiltered ? table(today, parameters, change, reasons) : nothingMatches(parameters, page),
  ];
}

function isEmpty(today, parameters) {
  return today.is_today && !parameters.day && !today.counts.decided && today.freshness.every((source) => !source.last_day);
}

function firstMorning(today) {
  return state("wait", say("empty.title"), say("empty.text"),
    element("ul", {},
      element("li", {}, say("empty.schedule")),
      element("li", {}, say("empty.dry_run")),
      element("li", {}, say("empty.segments", { n: today.counts.segments }))),
    element("p", {}, outLink(dagAddress("lead_stats"), say("empty.open"))));
}

function nothingMatches(parameters, page) {
  const clear = button(say("filter.clear_all"), () => page.go(hashOf("today", { day: parameters.day })), { id: "clear-all" });
  const { action } = parameters;
  const isChange = action === "increase" || action === "decrease";
  const earlier = isChange ? element("p", {}, element("a", { href: hashOf("log", { kind: action }) }, say("filter.in_log"))) : null;
  return element("div.state", {}, element("h2", {}, say("filter.none")), element("p", {}, say("filter.none_what")), earlier, clear);
}

// -- filters -------------------------------------------------------------------------------------------------------------

function filters(today, parameters, change, { isFiltered, matched, reasons }) {
  const list = (name, values, text) =>
    choice(name, say(`filter.any_${name}`), parameters[name], [["", say(`filter.any_${name}`)], ...values.map((value) => [value, text(value)])], (value) => change({ [name]: value }));
  const byLabel = today.facets.reasons.map((code) => [code, reasonLabel(code, reasons)]).sort((one, other) => one[1].localeCompare(other[1]));
  const anyReason = [["", say("filter.any_reason")], ...byLabel];
  const orders = ["gap", "euros", "name"].map((order) => [order === "gap" ? "" : order, say(`filter.sort_${order}`)]);
  return element(
    `form.filters${areFiltersOpen ? ".open" : ""}`,
    { role: "search", "aria-label": say("filter.segments"), onsubmit: (event) => event.preventDefault() },
    searchField(parameters.q, say("filter.find"), (value) => change({ q: value.trim() })),
    list("branch", today.facets.branches, capital),
    list("region", today.facets.regions, place),
    list("action", ACTIONS, (value) => say(`filter.${value}`)),
    choice("reason", say("filter.any_reason"), parameters.reason, anyReason, (value) => change({ reason: value })),
    choice("sort", say("filter.sort"), parameters.sort, orders, (value) => change({ sort: value })),
    dayField("day", say("filter.day"), today.day, today.today, (value) => change({ day: value === today.today ? "" : value })),
    isFiltered ? button(say("filter.clear"), () => change(Object.fromEntries(FILTERS.map((name) => [name, ""]))), { id: "clear" }) : null,
    narrowButton(),
    element("span.count", {}, say(isFiltered ? "filter.count_of" : "filter.count", { n: today.counts.segments, matched: whole(matched) })),
  );
}

/** On a phone the filters are behind a button. */
function narrowButton() {
  const toggle = button(say("filter.open"), () => {
    areFiltersOpen = !areFiltersOpen;
    toggle.closest("form").classList.toggle("open", areFiltersOpen);
    toggle.setAttribute("aria-expanded", String(areFiltersOpen));
  }, { id: "open-filters", "aria-expanded": String(areFiltersOpen) });
  toggle.classList.add("narrow-only");
  return toggle;
}

// -- the table -----------------------------------------------------------------------------------------------------------

function table(today, parameters, change, reasons) {
  const scale = element("span.scale", { "aria-hidden": "true" }, element("span", {}, "−60%"), element("span", {}, say("today.target")), element("span", {}, "+60%"));
  const leads = element("th", { scope: "col" }, element("div.leads", {}, element("span.value", {}, say("today.leads"), element("small.muted", {}, say("today.of_week"))), scale));
  const head = element("tr", {}, column(say("today.segment")), leads, column(say("today.gap"), ".num"), column(say("today.budget"), ".num"), column(say("today.outcome")), column(say("today.why")));
  const context = { today, parameters, change, reasons };
  return element("table.today", {}, element("caption.unseen", {}, say("today.caption")), element("thead", {}, head), today.groups.map((group) => body(group, context)));
}

function body(group, context) {
  const { today, reasons } = context;
  const heading = element("th", { colspan: COLUMNS, scope: "rowgroup" }, say(`group.${group.name}`), element("span.n", {}, ` ${whole(group.total)}`), element("span.muted", {}, ` ${say(`group.${group.name}_what`)}`));
  const clusters = group.name === "person" ? today.clusters : [];
  const isWaiting = (row) => row.outcome === "waiting";
  const make = (row) => segmentRow(row, today, reasons);
  const rows = [...group.rows.filter(isWaiting).map(make), ...clusters.map((cluster) => clusterRow(cluster, context)), ...group.rows.filter((row) => !isWaiting(row)).map(make)];
  const isFiltered = FILTERS.some((name) => context.parameters[name]);
  const none = element("tr", {}, element("td.none", { colspan: COLUMNS }, say(isFiltered ? "group.none_match" : group.name === "person" ? "group.no_work" : "group.none")));
  const section = element("tbody", { id: `group-${group.name}` }, element("tr.group", {}, heading), rows.length ? rows : none);
  const standing = clusters.reduce((sum, cluster) => sum + cluster.n, 0);
  addMore(section, group.next, group.total - standing - group.rows.length, group.name, context);
  return section;
}

function addMore(section, cursor, left, name, context) {
  if (!cursor) return;
  const { parameters, today, reasons } = context;
  const row = element("tr.more");
  const more = moreButton(`more-${name}`, say("today.more", { n: left, next: Math.min(left, PAGE) }), async () => {
    const answer = await api.today({ ...parameters, group: name, after: cursor });
    const group = answer.groups.find((each) => each.name === name);
    const made = group.rows.map((each) => segmentRow(each, today, reasons));
    row.replaceWith(...made);
    addMore(section, group.next, left - made.length, name, context);
    made[0]?.querySelector("a").focus();
    announce(say("today.shown_more", { n: made.length }));
  });
  row.append(element("td", { colspan: COLUMNS }, more));
  section.append(row);
}

function segmentRow(row, today, reasons) {
  const address = segmentHash(row.code);
  const { text, advice } = why(row, reasons);
  const open = (event) => {
    if (!event.target.closest("a, button") && !String(getSelection())) location.hash = address;
  };
  const answer = row.outcome === "waiting" && today.is_today ? answerLink(row.asking_run_id, say("link.answer")) : null;
  return element(
    "tr.segment",
    { onclick: open },
    element("td.at-name", {}, element("a.name", { href: address }, capital(row.branch)), unseen(" "), element("span", {}, place(row.region))),
    element("td.at-leads", {}, leadsCell(row)),
    element("td.num.at-gap", {}, gapCell(row)),
    element("td.at-budget", {}, budgetCell(row)),
    element("td.at-outcome", {}, outcomeChip(row)),
    element("td.at-why", {}, element("div.why", {}, text, advice ? element("span.advice", {}, advice) : null, answer ? element("span.advice", {}, answer) : null)),
  );
}

/** The same repair for many segments is one line of work; a filter by that reason lists them. */
function clusterRow(cluster, { change, reasons }) {
  const { reason, n: count, segments: some } = cluster;
  const names = some.map((each) => element("a", { href: segmentHash(each.code) }, segmentName(each)));
  const rest = count - some.length;
  const all = () => change({ reason });
  const title = element("span.name", {}, say("cluster.segments", { n: count }));
  const about = element("span.muted", {}, say("cluster.held", { budget: euros(Math.round(cluster.budget)) }));
  return element(
    "tr.cluster",
    {},
    element("td", { colspan: COLUMNS - 2 },
      element("button.link", { type: "button", id: `all-${reason}`, onclick: all }, title, " ", about),
      element("p.names", {}, names, rest > 0 ? element("button.link", { type: "button", onclick: all }, say("cluster.more", { n: rest })) : null)),
    element("td.at-outcome", {}, chip("warn", say("outcome.repair"), "warn")),
    element("td.at-why", {}, element("div.why", {}, `${unended(wordsOf(reason, "meaning", reasons))}.`, element("span.advice", {}, adviceOf(reason, reasons)))),
  );
}

