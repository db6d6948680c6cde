// Health: may the figures be trusted, what only a person can repair, how often decisions were right, the last runs.
import * as api from "../lib/api.js";
import { segmentHash } from "../lib/address.js";
import { column, element, unseen } from "../lib/elements.js";
import { cents, dayOf, daysLater, percent, segmentName, shortDay, tenth, when, whole } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { has, say } from "../lib/language.js";
import { dagAddress, outLink, runAddress, runLink } from "../lib/links.js";
import { channelName, isDeciding } from "../parts/channels.js";
import { state } from "../parts/controls.js";
import { chip } from "../parts/decision.js";
import { findingName } from "../parts/sentences.js";
import { backtests } from "./backtest.js";
import { FEW } from "./summary.js";

const SHOWN_DAYS = 14;
const WEEKS = 8; // shown one by one
const HALF_YEAR = 26; // weeks
const RUNS = 10;
const NAMES = 12; // segments of one finding that are named

export async function healthView(page) {
  const health = await api.health();
  const today = health.day;
  page.showDay(today);
  if (!health.freshness.some((source) => source.last_day)) {
    return state("wait", say("health.empty"), say("health.empty_what"), element("p", {}, outLink(dagAddress("lead_stats"), say("empty.open"))));
  }
  const stops = health.findings.filter((finding) => finding.level === "stop");
  const others = health.findings.filter((finding) => finding.level === "warn");
  const meant = health.findings.filter((finding) => finding.level === "info");
  return [
    element("h1", {}, verdict(health)),
    element("p.lead", {}, lead(health)),
    element("div.halves", {},
      element("div", {},
        section("freshness", freshness(health, today)),
        section("findings_stop", findings(stops, today)),
        section("findings_other", findings(others, today)),
        meant.length ? section("findings_info", findings(meant, today)) : null,
        section("backtest", backtests(health.backtests, health.backtest_moves, today))),
      element("div", {},
        section("right", right(health.right)),
        section("sums", sums(health.sums)),
        section("unmatched", unmatched(health.unmatched)),
        section("runs", runs(health, today)))),
  ];
}

function section(name, content) {
  return element("section", {}, element("h2", {}, say(`health.${name}`), element("span.muted", {}, ` ${say(`health.${name}_what`)}`)), content);
}

function none(key) {
  return element("p.muted.none", {}, say(key));
}

function verdict(health) {
  const stale = health.freshness.filter((source) => !source.is_fresh);
  const names = [...new Set(stale.map((source) => channelName(source.channel)))].join(", ");
  if (stale.some(isDeciding)) return say("health.held", { names });
  if (stale.length) return say("health.safe", { names });
  const stops = stopsOf(health);
  return stops ? say("health.fresh_but", { n: stops }) : say("health.fine");
}

function stopsOf(health) {
  return health.finding_counts.filter((each) => each.level === "stop").reduce((sum, each) => sum + each.n, 0);
}

function lead(health) {
  const fresh = health.freshness.filter((source) => source.is_fresh).length;
  const stops = stopsOf(health);
  const spend = health.unmatched.reduce((sum, each) => sum + (each.spend || 0), 0);
  const parts = [say("health.lead_fresh", { n: health.freshness.length, fresh: whole(fresh) })];
  if (!stops || fresh < health.freshness.length) parts.push(say("health.lead_stops", { n: stops })); // else the heading says it
  if (spend) parts.push(say("health.lead_spend", { spend: cents(spend) }));
  const held = health.right.find((each) => each.week === "all" && each.action === "hold");
  if (held && held.as_promised_pct !== null) parts.push(say("health.lead_right", { part: percent(held.as_promised_pct / 100), n: whole(held.judged ?? held.decisions) }));
  return `${parts.join("; ")}.`;
}

// -- freshness -----------------------------------------------------------------------------------------------------------

function freshness(health, today) {
  const days = Array.from({ length: SHOWN_DAYS }, (_, place) => daysLater(today, place - SHOWN_DAYS));
  const provisional = new Set(health.provisional.map((each) => `${each.channel} ${each.date}`));
  const rows = health.freshness.map((source) => element("tr", {},
    element("th", { scope: "row" }, element("span.name", {}, channelName(source.channel)), unseen(" "), element("span.account", {}, source.account)),
    element("td.nowrap", {}, source.is_fresh ? chip("check", say("health.fresh"), "good") : chip("warn", say("health.stale"), isDeciding(source) ? "bad" : "warn")),
    element("td.nowrap", {}, shortDay(source.last_day)),
    element("td.nowrap.wide-only", {}, when(source.fetched_at, today)),
    element("td", {}, cells(source, days, provisional))));
  const span = `${shortDay(days[0])} – ${shortDay(days.at(-1))}`;
  const head = [column(say("health.source")), column(say("health.state")), column(say("health.up_to")), column(say("health.read"), ".wide-only"), column(span)];
  const key = ["final", "provisional", "missing"].map((kind) => element("span", {}, element(`i.cell.${kind}`), say(`health.${kind}`)));
  return [element("table.plain", {}, element("caption.unseen", {}, say("health.freshness")), element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)), element("p.legend", {}, key)];
}

function cells(source, days, provisional) {
  const kinds = days.map((day) => (!source.last_day || day > source.last_day ? "missing" : provisional.has(`${source.channel} ${day}`) ? "provisional" : "final"));
  const count = (kind) => whole(kinds.filter((each) => each === kind).length);
  const label = say("health.cells", { final: count("final"), provisional: count("provisional"), missing: count("missing") });
  return element("div.cells", { role: "img", "aria-label": label }, kinds.map((kind, place) => element(`i.cell.${kind}`, { title: `${shortDay(days[place])}: ${say(`health.${kind}`)}` })));
}

// -- findings ------------------------------------------------------------------------------------------------------------

function findings(list, today) {
  if (!list.length) return none("health.none");
  const byName = new Map();
  for (const each of list) byName.set(each.name, [...(byName.get(each.name) || []), each]);
  return [...byName.values()].map((group) => finding(group, today));
}

function finding(group, today) {
  const [first] = group;
  const since = group.map((each) => each.first_seen).sort()[0];
  const title = findingName(first.name);
  const segments = [...new Map(group.filter((each) => each.segment).map((each) => [each.segment, each])).values()];
  const isList = segments.length > 1;
  const link = (each) => element("a", { href: segmentHash(each.segment), title: each.segment }, segmentName(each));
  const names = element("p.names", {}, segments.slice(0, NAMES).map(link), segments.length > NAMES ? element("span.muted", {}, say("cluster.more", { n: segments.length - NAMES })) : null);
  return element("div.finding", {},
    icon(first.level === "stop" ? "warn" : "ask"),
    element("div", {},
      element("h3", {}, title, group.length > 1 ? element("span.muted", {}, ` ${whole(group.length)}`) : null),
      isList ? names : group.slice(0, NAMES).map((each) => element("p", { lang: "en" }, each.segment ? [link(each), ": "] : null, each.detail)),
      element("p.muted", {}, element("b", {}, say(`who.${first.who}`)), ": ", element("span", { lang: "en" }, first.remediation))),
    element("span.muted.nowrap", {}, say("health.since", { day: shortDay(dayOf(since)) }), dayOf(since) === today ? ` (${say("time.today")})` : ""));
}

// -- how often right -----------------------------------------------------------------------------------------------------

function right(list) {
  const weeks = [...new Set(list.map((each) => each.week))].sort().reverse().slice(0, WEEKS);
  if (!weeks.length) return none("health.right_later");
  const actions = ["increase", "decrease", "hold"];
  const head = [column(say("health.week")), ...actions.map((action) => column(say(`filter.${action}`), ".num"))];
  const of = (week, action) => list.find((each) => each.week === week && each.action === action);
  const rows = weeks.map((week) => element("tr", {},
    element("th.nowrap", { scope: "row" }, week === "all" ? allWeeks(list) : shortDay(week)),
    actions.map((action) => element("td.num", {}, rate(of(week, action), action)))));
  const came = actions.map((action) => of("all", action)?.came_of_promised_pct ?? null);
  if (came.some((part) => part !== null)) {
    rows.splice(1, 0, element("tr", {},
      element("th", { scope: "row" }, say("health.came"), element("span.account", {}, say("health.came_what"))),
      came.map((part) => element("td.num", {}, part === null ? element("span.muted", {}, "–") : percent(part / 100)))));
  }
  return [element("table.plain", {}, element("caption.unseen", {}, say("health.right")), element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)), element("p.legend", {}, say("health.right_key"))];
}

function allWeeks(list) {
  const known = new Set(list.filter((each) => each.week !== "all").map((each) => each.week)).size;
  return known < HALF_YEAR ? say("health.weeks", { n: known }) : say("health.half_year");
}

/** Of a change: how often leads came nearer to the target, beside luck. Of a hold: how often the promise was kept. */
function rate(each, action) {
  const part = each && (action === "hold" ? each.as_promised_pct : each.nearer_pct);
  if (!each || part === null) return element("span.muted", {}, "–");
  const judged = each.judged ?? each.decisions;
  // A bar of two or three would look like knowledge.
  if (judged < FEW) return element("span", {}, say("health.of", { n: judged, k: whole(Math.round((part * judged) / 100)) }));
  const luck = action === "hold" || each.nearer_by_luck_pct === null ? null : say("health.luck", { part: percent(each.nearer_by_luck_pct / 100) });
  return element("span.rate", { title: luck, vars: { "--part": `${part}%` } },
    element("i", { "aria-hidden": "true" }), element("span.part", {}, percent(part / 100)), luck ? unseen(` ${luck}`) : null, element("span.muted", {}, ` /${whole(judged)}`));
}

// -- sums, unmatched spend, runs -------------------------------------------------------------------------------------------

function sums(list) {
  const different = list.filter((each) => each.is_off);
  if (!list.length) return none("health.sums_none");
  if (!different.length) return element("p.none", {}, chip("check", say("health.sums_agree", { n: list.length }), "good"));
  const amount = (each, value) => (each.metric === "spend" ? cents(value) : tenth(value));
  const rows = different.map((each) => element("tr", {},
    element("th", { scope: "row" }, element("span.name", {}, channelName(each.channel)), unseen(" "), element("span.account", {}, each.account)),
    element("td.nowrap", {}, shortDay(each.date)), element("td", {}, has(`metric.${each.metric}`) ? say(`metric.${each.metric}`) : each.metric),
    element("td.num", {}, amount(each, each.reported)), element("td.num.bad", {}, amount(each, each.difference))));
  const head = [column(say("health.source")), column(say("numbers.day")), column(say("health.metric")), column(say("health.reported"), ".num"), column(say("health.difference"), ".num")];
  return element("table.plain", {}, element("caption.unseen", {}, say("health.sums")), element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows));
}

function unmatched(list) {
  const spent = list.filter((each) => each.spend);
  if (!spent.length) return none("health.unmatched_none");
  const rows = spent.map((each) => element("tr", {},
    element("th", { scope: "row" }, element("span.name", {}, channelName(each.channel)), unseen(" "), element("span.account", {}, each.account)),
    element("td.num", {}, cents(each.spend)), element("td.num.muted", {}, say("health.in_days", { n: each.days }))));
  return element("table.plain", {}, element("caption.unseen", {}, say("health.unmatched")), element("tbody", {}, rows));
}

function runs(health, today) {
  const stats = health.stat_runs.map((run) => ["lead_stats", run, say("health.run_read", { n: run.n }), run.n < health.freshness.length]);
  const budgets = health.budget_runs.map((run) => ["lead_budgets", run, say("health.run_decided", { n: run.n }), false]);
  const latest = [...stats, ...budgets].sort((one, other) => (one[1].started < other[1].started ? 1 : -1)).slice(0, RUNS);
  if (!latest.length) return none("health.none");
  const rows = latest.map(([dag, run, what, isFew]) => element("tr", {},
    element("td", {}, runLink(run.dag_run_id, runAddress(dag, run.dag_run_id), dag)),
    element("td.nowrap", {}, when(run.started, today)),
    element("td.muted", {}, isFew ? [icon("warn", say("health.fewer")), " "] : null, what)));
  return element("table.plain", {}, element("caption.unseen", {}, say("health.runs")), element("tbody", {}, rows));
}
