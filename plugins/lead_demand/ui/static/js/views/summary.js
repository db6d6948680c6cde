// The top of Today: one sentence that is enough for most mornings, then five figures.
import { segmentHash } from "../lib/address.js";
import { element } from "../lib/elements.js";
import { capital, clock, daysInMonth, euros, monthName, moreEuros, percent, segmentName, shortDay, tenth, UNKNOWN, whole } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { say } from "../lib/language.js";
import { answerLink, isInAirflow, runAddress, runLink } from "../lib/links.js";
import { channelName, isDeciding } from "../parts/channels.js";
import { banner } from "../parts/controls.js";
import { findingName } from "../parts/sentences.js";

export const FEW = 20; // changes: of fewer, what came of them is said, and nothing concluded

/** How much needs a person: segments with a question, a repair, a failed change or no decision, and findings beside those. */
function forPerson(counts) {
  return counts.waiting + counts.repairs + counts.failed + (counts.segments - counts.decided) + counts.other_findings;
}

export function verdict(today) {
  const { counts, settings } = today;
  const undecided = counts.segments - counts.decided;
  const stale = today.freshness.filter((source) => !source.is_fresh && isDeciding(source));
  if (!today.is_today) return say(undecided ? "verdict.past_undecided" : "verdict.past", { n: undecided || counts.segments });
  if (settings.kill_switch) return say("verdict.stopped");
  if (!counts.decided) return say(stale.length ? "verdict.not_yet_stale" : "verdict.not_yet");
  if (undecided) return say("verdict.undecided", { n: undecided });
  if (counts.waiting) {
    const asked = today.asking && isInAirflow(today.asking.run_id) ? "verdict.waiting" : "verdict.waiting_unasked";
    return say(asked, { n: counts.waiting, until: settings.approval_deadline.slice(0, 5) });
  }
  const person = forPerson(counts);
  if (stale.length) return say("verdict.stale", { names: stale.map((source) => channelName(source.channel)).join(", ") });
  return person ? say("verdict.person", { n: person }) : say("verdict.fine");
}

export function underVerdict(today) {
  const { counts, run } = today;
  const at = run?.decided_at ? ` ${say("summary.at", { time: clock(run.decided_at) })}` : "";
  const decided = say("summary.decided", { n: counts.segments, decided: whole(counts.decided) });
  const link = run?.run_id ? runLink(run.run_id, runAddress("lead_budgets", run.run_id), say("link.run")) : null;
  return element("p.lead", {}, `${decided}${at}. `, link, trusted(today));
}

/** Whether the planner was right so far: how often a change helped, and how often a week without one came as expected. */
function trusted({ trust, is_today: isToday }) {
  if (!isToday || (!trust.weeks && !trust.changes)) return null;
  const changes = trust.changes
    ? say("summary.helped", { n: trust.changes, nearer: whole(trust.nearer), luck: trust.by_luck === null ? UNKNOWN : tenth(trust.by_luck) })
    : say("summary.not_judged");
  const few = trust.changes && trust.changes < FEW ? say("summary.few") : "";
  const expected = trust.weeks ? `${say("summary.as_expected", { part: percent(trust.kept / trust.weeks), n: whole(trust.weeks) })}. ` : "";
  return [element("br"), `${changes}${few}. ${expected}`, element("a", { href: "#/health" }, say("summary.how_right"))];
}

export function banners(today) {
  const { settings, is_today: isToday } = today;
  return [
    settings.kill_switch && isToday ? banner("bad", say("banner.kill_switch"), say("banner.kill_switch_why")) : null,
    settings.dry_run && isToday ? banner("warn", say("banner.dry_run"), say("banner.dry_run_why")) : null,
  ];
}

function tile(title, ...body) {
  return element("section.tile", {}, element("h2", {}, title), ...body);
}

function big(text, unit, tone = "") {
  return element(`p.big${tone ? `.${tone}` : ""}`, {}, `${text} `, element("small", {}, unit));
}

/** The five figures. `filter` changes the filters of the table below, `chosen` is the direction it shows now. */
export function strip(today, chosen, filter, reasons) {
  const { counts } = today;
  const side = (name, leads, segments) =>
    element(
      "button.link",
      { type: "button", id: `only-${name}`, "aria-pressed": String(chosen === name), onclick: () => filter({ action: chosen === name ? "" : name }) },
      big(whole(leads), say(`today.${name}`), name),
      element("p.below", {}, say("summary.per_day_in", { n: segments })),
    );
  const sides = element("div.two", {}, side("short", counts.short_leads, counts.short), side("over", counts.over_leads, counts.over));
  const gaps = tile(say("tile.gap"), sides, ...missing(counts));
  return element("div.strip", {}, gaps, budgets(today), people(today, reasons), sources(today), month(today));
}

/** Where leads are missing most: segments, whatever list they stand in below, and the sums of their branches. */
function missing({ most_missing: segments, branches_missing: branches, unknown }) {
  const uncounted = unknown ? [element("p.below", {}, say("summary.unknown", { n: unknown }))] : [];
  if (!segments.length) return uncounted;
  const link = (each) => element("a", { href: segmentHash(each.code) }, segmentName(each));
  const listed = (rows, name) => rows.flatMap((row, place) => [place ? ", " : " ", name(row), ` ${less(row.missing)}`]);
  const lines = [element("p.below", {}, `${say("summary.most_missing")}:`, listed(segments, link))];
  if (branches.length > 1) lines.push(element("p.below", {}, `${say("summary.by_branch")}:`, listed(branches, (row) => capital(row.branch))));
  return [...lines, ...uncounted];
}

function less(leads) {
  return `\u2212${tenth(leads)}`;
}

function budgets({ counts, settings }) {
  const moved = counts.up + counts.down;
  const directions = moved
    ? [icon("up", say("direction.up")), ` ${whole(counts.up)}  `, icon("down", say("direction.down")), ` ${whole(counts.down)} · ${say("summary.net", { net: moreEuros(counts.net) })}`, element("br")]
    : [];
  const reverted = counts.reverted ? `, ${say("summary.reverted", { n: counts.reverted })}` : "";
  return tile(
    say("tile.budgets"),
    big(whole(moved), say(settings.dry_run ? "summary.proposed" : "summary.changed")),
    element("p.below", {}, directions, say("summary.held", { n: counts.held }), reverted),
  );
}

/** Whose work it is: of each who has any, how many repairs, and what can be improved. */
function byOwner({ repairs_by_cause: causes, improvements }, reasons) {
  const ownerOf = (code) => reasons[code]?.who || "marketing";
  return ["marketing", "data_team", "on_call"].flatMap((who) => {
    const repairs = Object.entries(causes).reduce((sum, [code, n]) => sum + (ownerOf(code) === who ? n : 0), 0);
    const better = improvements.filter((code) => ownerOf(code) === who).map(findingName);
    if (!repairs && !better.length) return [];
    const told = better.length ? [repairs ? "; " : "", `${say("summary.improve")}: `, element("a", { href: "#/health" }, better.join(", "))] : [];
    return [element("p.below", {}, element("b", {}, say(`who.${who}`)), ": ", repairs ? say("summary.repairs", { n: repairs }) : "", told)];
  });
}

function people(today, reasons) {
  const { counts, settings, asking } = today;
  const person = forPerson(counts);
  const owners = byOwner(counts, reasons);
  const brings = counts.waiting_leads === null ? "" : ` ${say("summary.for_leads", { leads: tenth(counts.waiting_leads) })}`;
  const approvals = `${say("summary.approvals", { n: counts.waiting })}, ${moreEuros(counts.waiting_eur)}${brings}`;
  const until = say("summary.until", { until: settings.approval_deadline.slice(0, 5) });
  const isAnswered = asking && isInAirflow(asking.run_id);
  const waits = counts.waiting ? [element("b", {}, say("who.approver")), ": ", isAnswered ? [answerLink(asking.run_id, approvals), ` ${until}`] : approvals, element("br")] : [];
  const failed = counts.failed ? [say("summary.failed", { n: counts.failed }), element("br")] : [];
  const others = counts.other_findings ? [element("a", { href: "#/health" }, say("summary.other_findings", { n: counts.other_findings })), element("br")] : [];
  const nothing = person ? "" : say("summary.no_work");
  return tile(
    say("tile.person"),
    big(whole(person), person ? "" : say("summary.nothing"), counts.waiting || counts.failed ? "warn" : ""),
    element("p.below", {}, waits, failed, others, owners.length || waits.length || failed.length ? "" : nothing),
    ...owners,
  );
}

function sources({ freshness }) {
  const stale = freshness.filter((source) => !source.is_fresh);
  const tone = stale.some(isDeciding) ? "bad" : stale.length ? "warn" : "";
  const names = [...new Set(stale.map((source) => channelName(source.channel)))].join(", ");
  const health = element("a", { href: "#/health" }, say("view.health"));
  const since = stale[0]?.last_day ? say("summary.since", { names, day: shortDay(stale[0].last_day) }) : say("summary.never", { names });
  const fresh = say("summary.of", { total: whole(freshness.length), fresh: whole(freshness.length - stale.length) });
  return tile(
    say("tile.sources"),
    big(fresh, say("summary.fresh"), tone),
    element("p.below", {}, stale.length ? [icon("warn"), ` ${since}. `, health] : say("summary.up_to_yesterday")),
  );
}

function month({ day, month: spent, settings, is_today: isToday }) {
  const title = say("tile.spend", { month: monthName(day) });
  if (spent.spend === null) return tile(title, element("p.big.muted", {}, UNKNOWN), element("p.below", {}, say("summary.spend_unknown")));
  const plan = settings.monthly_budget;
  const days = daysInMonth(day);
  const gone = (Number(day.slice(8)) - 1) / days;
  // What is spent, and today's budgets for each day that is left, this one included.
  const course = spent.budgets_today === null ? null : spent.spend + spent.budgets_today * (days - Number(day.slice(8)) + 1);
  const label = plan ? say("summary.of_plan", { plan: euros(plan) }) : say("summary.no_plan");
  const rounded = euros(Math.round(course / 100) * 100);
  const onCourse = say(plan ? "summary.course_of" : "summary.course", { course: rounded, part: plan ? percent(course / plan) : "" });
  return tile(
    title,
    big(euros(Math.round(spent.spend)), label),
    plan ? pace(spent.spend / plan, gone) : null,
    element("p.below", {}, course === null || !isToday ? "" : onCourse),
    ...spent.branches.map(ofBranch),
  );
}

/** A branch that has a monthly budget: what is spent of it. */
function ofBranch({ branch, monthly_budget: plan, spend }) {
  const spent = spend === null ? UNKNOWN : euros(Math.round(spend));
  return element("p.below", {}, say("summary.branch_month", { branch: capital(branch), spend: spent, plan: euros(plan) }));
}

function pace(part, gone) {
  const label = say("summary.pace", { part: percent(part), gone: percent(gone) });
  const vars = { "--part": `${Math.min(100, part * 100)}%`, "--gone": `${gone * 100}%` };
  return element("div.pace", { role: "img", "aria-label": label, vars }, element("i"), element("b"));
}
