// Beside the chart: what would happen next, today's figures, the limits in force, the channels, the findings.
import { column, element } from "../lib/elements.js";
import { cents, clock, dayOf, euros, person, shortDay, tenth, UNKNOWN, whole } from "../lib/format.js";
import { has, say } from "../lib/language.js";
import { channelName } from "../parts/channels.js";
import { next } from "../parts/sentences.js";

const SOURCES = "source"; // of leads: keys of the catalogue

export function sidebar(segment, budget, reasons) {
  return element("div.side", {}, nextCard(segment, reasons), todayCard(segment.today, budget), limitsCard(segment), channelsCard(segment), findingsCard(segment));
}

function card(title, ...body) {
  return element("section.card", {}, element("h2", {}, title), ...body);
}

function pairs(...rows) {
  return element("dl.pairs", {}, rows.filter(Boolean).map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function nextCard(segment, reasons) {
  const [headline, explanation] = next(segment, reasons);
  const latest = segment.now?.sentence;
  return card(say("next.title"), element("p", {}, element("b", {}, headline)), element("p.muted", {}, explanation),
    latest ? element("details", {}, element("summary", {}, say("next.record")), element("p.muted", { lang: "en" }, latest)) : null);
}

function todayCard(row, budget) {
  const interval = row.expected === null ? tenth(null) : `${tenth(row.expected)} (${tenth(row.low)}–${tenth(row.high)})`;
  return card(say("figures.title"), pairs(
    [say("figures.target"), tenth(row.target)],
    [say("figures.expected"), interval],
    row.of_day.expected !== null && [say("figures.of_day"), `${tenth(row.of_day.target)}, ${tenth(row.of_day.expected)} (${tenth(row.of_day.low)}–${tenth(row.of_day.high)})`],
    [say("figures.yesterday"), whole(row.yesterday)],
    [say("figures.budget"), euros(budget)],
    row.target_source === "admin" && [say("figures.target_set_by"), say("figures.a_person")]));
}

function limitsCard({ limits, settings }) {
  if (!limits || limits.is_automated === null) return card(say("limits.title"), element("p.muted", {}, say("limits.none")));
  const part = (value, sign) => (value === null ? UNKNOWN : `${sign}${whole(value)}%`);
  const days = limits.cooldown_days === null ? UNKNOWN : say("limits.days", { n: limits.cooldown_days });
  const perMonth = limits.monthly_budget === null ? say("limits.no_month") : euros(limits.monthly_budget);
  const asks = settings.approval_threshold === null ? say("limits.no_threshold") : `+${euros(settings.approval_threshold)}`;
  const rows = [
    [say("limits.floor"), euros(limits.floor), "floor"],
    [say("limits.cap"), euros(limits.cap), "cap"],
    [say("limits.increase"), part(limits.max_increase_pct, "+"), "max_increase_pct"],
    [say("limits.decrease"), part(limits.max_decrease_pct, "−"), "max_decrease_pct"],
    [say("limits.cool_down"), days, "cooldown_days"],
    [say("limits.month"), perMonth, "monthly_budget"],
    limits.branch_monthly_budget !== null && [say("limits.branch_month"), euros(limits.branch_monthly_budget), ""],
    [say("limits.approval"), asks, ""],
    [say("limits.automation"), say(limits.is_automated ? "limits.on" : "limits.off"), "is_automated"],
  ];
  return card(say("limits.title"), pairs(...rows.filter(Boolean).map(([name, value, column]) => [name, [value, whoSet(limits.changed?.[column])]])));
}

/** Who set a limit last, and when; nothing where nobody has since the table began to tell. */
function whoSet(changed) {
  if (!changed) return null;
  const who = changed.changed_by ? person(changed.changed_by) : say("limits.somebody");
  return element("small.muted", {}, say("limits.changed", { who, day: shortDay(dayOf(changed.changed_at)), time: clock(changed.changed_at) }));
}

function channelsCard({ channels }) {
  const total = channels.reduce((sum, channel) => sum + (channel.generated || 0), 0);
  if (!total) return card(say("channels.title"), element("p.muted", {}, say("channels.none")));
  const rows = channels.map((channel) => element("tr", {},
    element("th", { scope: "row" }, has(`${SOURCES}.${channel.channel}`) ? say(`${SOURCES}.${channel.channel}`) : channelName(channel.channel),
      element("div.share", { "aria-hidden": "true", vars: { "--part": `${(channel.generated / total) * 100}%` } })),
    element("td.num", {}, whole(channel.generated)),
    element("td.num", {}, whole(channel.accepted)),
    element("td.num", {}, cents(channel.spend && channel.generated ? channel.spend / channel.generated : null))));
  const head = [column(say("channels.channel")), column(say("channels.leads"), ".num"), column(say("channels.accepted"), ".num"), column(say("channels.cost"), ".num")];
  return card(say("channels.title"), element("table.plain", {}, element("caption.unseen", {}, say("channels.caption")), element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)));
}

function findingsCard({ findings }) {
  if (!findings?.length) return null;
  return card(say("findings.title"), findings.map((finding) => element("p", { lang: "en" }, finding.detail, " ", element("span.muted", {}, finding.remediation))));
}
