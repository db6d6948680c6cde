// The cells that a table of segments repeats: leads beside the bullet chart, gap, budget.
import { drawing, element, unseen } from "../lib/elements.js";
import { change, euros, tenth, UNKNOWN } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { say } from "../lib/language.js";
import { beyondTarget, sideOf } from "./decision.js";

const WIDTH = 190;
const MIDDLE = WIDTH / 2;
// The axis shows the target ± 60 %; what lies beyond is an arrow at the edge.
export const SPAN = 0.6;
const UNLIKE = 0.05;

/** The target is always in the middle: one look down the column shows who is short and who has too many, at any size. */
function bullet(row) {
  const side = sideOf(row);
  const chart = drawing("svg", {
    class: `bullet bullet-${side || "none"}`,
    viewBox: `0 0 ${WIDTH} 22`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  chart.append(drawing("line", { class: "axis", x1: 0, x2: WIDTH, y1: 11, y2: 11 }));
  if (!row.target || row.expected === null) return chart;
  const at = (value) => Math.max(2, Math.min(WIDTH - 2, MIDDLE + ((value / row.target - 1) / SPAN) * (MIDDLE - 8)));
  const expected = at(row.expected);
  if (side !== "ok") {
    chart.append(drawing("rect", { class: "gap", x: Math.min(expected, MIDDLE), width: Math.abs(expected - MIDDLE), y: 9.5, height: 3 }));
  }
  if (Math.abs(row.expected / row.target - 1) > SPAN * 1.08) {
    const isLeft = row.expected < row.target;
    chart.append(drawing("path", { class: "beyond", d: isLeft ? "M8 5L2 11l6 6" : `M${WIDTH - 8} 5l6 6-6 6` }));
  } else {
    const [low, high] = [at(row.low), at(row.high)];
    chart.append(
      drawing("rect", { class: "interval", x: low, width: Math.max(2, high - low), y: 6, height: 10, rx: 2 }),
      drawing("rect", { class: "expected", x: expected - 1.5, width: 3, y: 4, height: 14, rx: 1 }),
    );
  }
  chart.append(drawing("line", { class: "target", x1: MIDDLE, x2: MIDDLE, y1: 0, y2: 22 }));
  return chart;
}

export function leadsCell(row) {
  const interval = row.low === null ? null : say("today.interval", { low: tenth(row.low), high: tenth(row.high) });
  const value = element(
    "span.value",
    { title: interval },
    element("b", {}, tenth(row.expected)),
    element("span.muted", {}, ` ${say("today.of")} ${tenth(row.target)}`),
    isUnlike(row) ? element("small.muted", {}, say("today.of_day", { expected: tenth(row.of_day.expected), target: tenth(row.of_day.target) })) : null,
  );
  return element("div.leads", {}, value, bullet(row));
}

/** Whether today alone is another picture than its week, which is what is decided by. */
function isUnlike({ target, expected, of_day: day }) {
  if (day.target === null || day.expected === null || target === null || expected === null) return false;
  return Math.abs(day.target - target) > UNLIKE * target || Math.abs(day.expected - expected) > UNLIKE * expected;
}

export function gapCell(row) {
  const gap = beyondTarget(row);
  if (gap === null) return element("span.gap.muted", {}, UNKNOWN);
  const side = sideOf(row);
  const word = say(gap < 0 ? "today.short" : "today.over");
  return element(`span.gap.${side === "ok" ? "muted" : side}`, {}, element("b", {}, tenth(Math.abs(gap))), element("span", {}, word));
}

/** Old → new and by how much, for whatever has `old` and `new`. */
export function budgetCell(row) {
  if (row.new === null || row.new === undefined) return element("span.budget.muted", {}, element("span.to", {}, UNKNOWN));
  if (row.old === row.new) return element("span.budget", {}, element("span.to", {}, euros(row.new)), unseen(` ${say("today.unchanged")}`));
  if (row.old === null || row.old === undefined) return element("span.budget", {}, element("b.to", {}, euros(row.new)));
  const direction = row.new > row.old ? "up" : "down";
  const part = row.old > 0 ? change(row.new / row.old - 1).replace(/^[+−]/, "") : "";
  return element(
    "span.budget",
    {},
    element("span.from", {}, euros(row.old)),
    element("span.arrow", { "aria-hidden": "true" }, "→"),
    element("b.to", {}, euros(row.new)),
    element("span.part", {}, icon(direction, say(`direction.${direction}`)), part),
  );
}
