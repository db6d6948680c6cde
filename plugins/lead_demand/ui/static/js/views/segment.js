// One segment: why its budget is what it is and whether that helped, the chart, the story, its limits and channels.
import { hashOf } from "../lib/address.js";
import * as api from "../lib/api.js";
import { column, element } from "../lib/elements.js";
import { capital, cents, euros, place, shortDay, tenth, whole } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { say } from "../lib/language.js";
import { campaignAddress, isInAirflow, outLink, runAddress, runLink, taskAddress } from "../lib/links.js";
import { button, state } from "../parts/controls.js";
import { budgetInForce, outcomeChip } from "../parts/decision.js";
import { complete, gatherLimits } from "../parts/events.js";
import { outcomeOf } from "../parts/outcome.js";
import { eventTitle } from "../parts/sentences.js";
import { answer } from "./answer.js";
import { segmentChart } from "./chart.js";
import { sidebar } from "./limits.js";
import { story } from "./story.js";

const RANGES = [30, 60, 90];
const NARROW = 640; // pixels: a phone begins with the shorter range

export async function segmentView(code, parameters, page) {
  const [segment, reasons] = await Promise.all([api.segment(code, RANGES.at(-1), parameters.day), api.reasons()]);
  page.showDay(segment.day);
  const row = segment.today;
  if (!row) return switchedOff(code, segment);
  const days = segment.days.map((values) => Object.fromEntries(segment.columns.map((name, place) => [name, values[place]])));
  // The log is told from the newest to the oldest.
  const events = gatherLimits(segment.events.map(complete).sort((one, other) => (one.at < other.at ? 1 : -1)));
  const changes = events.filter((event) => event.kind !== "hold");
  const budget = row.action ? budgetInForce(row) : lastKnown(days);
  const hasCampaign = Boolean(segment.limits?.campaigns?.length);
  return [
    element("p.crumb", {}, element("a", { href: hashOf("today") }, say("view.today")), " / ", code),
    heading(segment, budget),
    answer({ row, changes, days, budget, hasCampaign }),
    element("div.columns", {},
      element("div.wide", {}, chartSection(segment, days, changes, parameters, page), story(events, reasons)),
      sidebar(segment, budget, reasons)),
  ];
}

/** Before today is decided: what was in force on the latest day that is known. */
function lastKnown(days) {
  return days.findLast((day) => day.budget !== null)?.budget ?? null;
}

/** A segment that is no longer decided has no row; its history is in the log. */
function switchedOff(code, segment) {
  const log = element("a.button", { href: hashOf("log", { q: code }) }, say("segment.its_log"));
  return state("ask", say("segment.off", { code }), segment.now ? segment.now.sentence : say("segment.off_what"), log);
}

function heading(segment, budget) {
  const row = segment.today;
  const run = row.run_id;
  const campaigns = segment.limits?.campaigns || [];
  const links = campaigns.map((campaign) => {
    const link = outLink(campaignAddress(campaign.account, campaign.id), campaigns.length > 1 ? campaign.name : say("link.campaign"));
    link.classList.add("button");
    return link;
  });
  return element("div.head", {},
    element("div", {},
      element("h1", {}, say("segment.title", { branch: capital(row.branch), region: place(row.region) })),
      element("div.chips", {},
        outcomeChip(row),
        element("span", {}, budget === null ? say(campaigns.length ? "segment.budget_unknown" : "segment.no_budget") : say("segment.per_day", { amount: euros(budget) })),
        run ? runLink(run, taskAddress("lead_budgets", run, "plan_budgets"), say("link.task_log")) : null,
        run && isInAirflow(run) ? outLink(runAddress("lead_budgets", run), say("link.run_short")) : null)),
    element("div.links", {}, links));
}

function chartSection(segment, days, changes, parameters, page) {
  const asked = Number(parameters.range);
  const range = RANGES.includes(asked) ? asked : innerWidth < NARROW ? RANGES[0] : RANGES[1];
  const describe = (event) => {
    const came = outcomeOf(event);
    return came?.label ? `${eventTitle(event)} · ${came.label}` : eventTitle(event);
  };
  const chart = segmentChart({ days, today: todayOf(segment, days), events: changes, range, describe, onPick: showInStory });
  const choose = (days) => {
    chart.show(days);
    for (const each of ranges.children) each.setAttribute("aria-pressed", String(each.dataset.days === String(days)));
    page.keep(hashOf(`segment/${encodeURIComponent(segment.today.code)}`, { ...parameters, range: days }));
  };
  const ranges = element("div.ranges", { role: "group", "aria-label": say("chart.range") },
    RANGES.map((days) => button(say("chart.days", { n: days }), () => choose(days), { "data-days": days, "aria-pressed": String(days === range) })));
  return element("section", { "aria-labelledby": "chart-title" },
    element("div.chart-head", {}, element("h2", { id: "chart-title" }, say("chart.title")), ranges),
    chart.node,
    legend(),
    numbers(days, chart.isDrawn));
}

/** Today's column of the chart: steps of target, band and budget, without leads. */
function todayOf(segment, days) {
  const { target, expected, low, high } = segment.today.of_day;
  const blank = Object.fromEntries(segment.columns.map((name) => [name, null]));
  const isKnown = days.at(-1)?.date === segment.day;
  return isKnown ? null : { ...blank, date: segment.day, target, expected, low, high, target_any: target, budget: budgetInForce(segment.today) };
}

function showInStory(event) {
  const entry = document.getElementById(`event-${event.at}-${event.kind}`);
  if (!entry) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  entry.scrollIntoView({ block: "center", behavior: isCalm ? "auto" : "smooth" });
  entry.classList.add("found");
  entry.focus({ preventScroll: true });
  setTimeout(() => entry.classList.remove("found"), 1600);
}

function legend() {
  const mark = (name, text) => element("span", {}, icon(name), text);
  return element("p.legend", {},
    element("span", {}, element("i.hatched"), say("chart.pending")),
    element("span", {}, icon("up"), icon("down"), say("chart.by_planner")),
    mark("undo", say("chart.reverted")), mark("hand", say("chart.by_hand")), mark("limit", say("chart.limit")), mark("cross", say("chart.not_made")));
}

/** The chart as a table, for whoever reads numbers or cannot see the chart. */
function numbers(days, isDrawn) {
  const head = ["day", "leads", "pending", "target", "expected", "low", "high", "spend", "budget"].map((name, place) => column(say(`numbers.${name}`), place ? ".num" : ""));
  const rows = [...days].reverse().map((day) =>
    element("tr", {}, element("th.nowrap", { scope: "row" }, shortDay(day.date)),
      [whole(day.leads), whole(day.pending), tenth(day.target_any), tenth(day.expected), tenth(day.low), tenth(day.high), cents(day.spend), cents(day.budget)].map((text) => element("td.num", {}, text))));
  return element("details.numbers", { open: !isDrawn },
    element("summary", {}, say("numbers.title")),
    element("div.scroll", { tabindex: "0", role: "region", "aria-label": say("numbers.title") },
      element("table.plain", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows))));
}
