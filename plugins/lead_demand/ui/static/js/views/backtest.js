// The last backtests: past mornings as they were decided, with today's settings, and with those that were tried.
import { segmentHash } from "../lib/address.js";
import { column, element } from "../lib/elements.js";
import { cents, decimal, euros, percent, segmentName, shortDay, tenth, when, whole } from "../lib/format.js";
import { say } from "../lib/language.js";
import { dagAddress, outLink, runAddress } from "../lib/links.js";

const part = (value) => percent(value === null ? null : value / 100);
const FIGURES = { changes: tenth, leads: decimal, wanted: decimal, filled_pct: part, spend: cents, per_lead: cents, differing: whole, held_pct: part, missed_by: decimal };
const BY_HAND = "make backtest"; // began in a terminal, so Airflow has no run of it

export function backtests([newest, ...earlier], moves, today) {
  const another = element("p.another", {}, outLink(dagAddress("lead_backtest"), say("backtest.another")));
  if (!newest) return [element("p.muted.none", {}, say("backtest.none")), another];
  return [...report(newest, today), element("p.legend", {}, say("backtest.key")), moved(moves, newest), ...earlier.map((each) => folded(each, today)), another];
}

function report(one, today) {
  const facts = { from: shortDay(one.from), to: shortDay(one.to), n: one.segments, evaluations: whole(one.evaluations), kept: whole(one.kept) };
  const title = say("backtest.facts", facts);
  const head = [column(say("health.metric")), ...one.trials.map(({ trial }) => column(name(trial, one), ".num"))];
  const rows = Object.entries(FIGURES).map(([figure, shown]) => element("tr", {},
    element("th", { scope: "row" }, say(`backtest.${figure}`)),
    one.trials.map((trial) => element("td.num", {}, shown(trial[figure])))));
  return [
    element("p.muted.facts", {}, title, " ", ran(one, today)),
    element("table.plain", {}, element("caption.unseen", {}, `${say("health.backtest")}: ${title}`), element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)),
  ];
}

/** What was tried is written as it is set: name and value. */
function name(trial, { tried }) {
  return trial === "changed" ? element("span", { lang: "en" }, tried) : say(`backtest.${trial}`);
}

function ran({ run_id: run, replayed_at: moment }, today) {
  const at = say("backtest.ran", { when: when(moment, today) });
  return run.startsWith(BY_HAND) ? at : outLink(runAddress("lead_backtest", run), at);
}

/** Where budgets would stand after the last morning. */
function moved(list, newest) {
  if (!list.length) return null;
  const [one, other] = newest.trials.slice(-2).map(({ trial }) => name(trial, newest));
  const rows = list.map((each) => element("tr", {},
    element("th", { scope: "row" }, element("a", { href: segmentHash(each.segment), title: each.segment }, segmentName(each))),
    element("td.num", {}, euros(each.from)), element("td.num", {}, euros(each.to))));
  const head = [column(say("backtest.moved")), column(one, ".num"), column(other, ".num")];
  return element("table.plain", {}, element("caption.unseen", {}, say("backtest.moved")), element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows));
}

function folded(one, today) {
  const title = one.tried ? element("span", { lang: "en" }, one.tried) : say("backtest.today");
  return element("details.earlier", {}, element("summary", {}, title, ` · ${when(one.replayed_at, today)}`), report(one, today));
}
