// The segment's chart: two uPlot panes on one axis of days, a lane of event buttons between them, a spoken line of figures.
// The only module that knows uPlot. It draws on a canvas, so what a keyboard and a screen reader need is added here.
import { element } from "../lib/elements.js";
import { euros, shortDay, tenth, whole } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { say } from "../lib/language.js";
import { stateOf } from "../parts/events.js";
import { eventIcon } from "./story.js";

const DAY = 86_400; // seconds
const WEEK = 7;
const NARROW = 560; // pixels
const FONT = "11px Inter, system-ui, sans-serif";
// Whole numbers only: leads and euros have no halves on an axis.
const STEPS = [1, 2, 5].flatMap((digit) => [1, 10, 100, 1000, 10_000].map((power) => digit * power)).sort((one, other) => one - other);
const LANE_STEP = 25; // pixels between levels of the lane
const MARK = 24; // pixels: a button of the lane

const seconds = (day) => Date.parse(`${day}T00:00:00Z`) / 1000;
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let library = null;
/** uPlot, fetched when the first chart is drawn; rejects where `make` could not put it in place. */
function uplot() {
  library ??= new Promise((resolve, reject) => {
    const styles = element("link", { rel: "stylesheet", href: "static/vendor/uPlot.min.css" });
    const script = element("script", { src: "static/vendor/uPlot.iife.min.js", onload: () => resolve(window.uPlot), onerror: reject });
    document.head.append(styles, script);
  });
  return library;
}

function hatched(stroke) {
  const size = 6 * devicePixelRatio;
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const pen = canvas.getContext("2d");
  pen.strokeStyle = stroke;
  pen.lineWidth = 1.4 * devicePixelRatio;
  for (const start of [-size, 0, size]) {
    pen.beginPath();
    pen.moveTo(start, size);
    pen.lineTo(start + size, 0);
    pen.stroke();
  }
  return pen.createPattern(canvas, "repeat");
}

/** The mean of the seven days up to one; null where one of them is unknown. */
function weekMean(days, place) {
  const week = days.slice(Math.max(0, place - WEEK + 1), place + 1).map((day) => day.leads);
  if (week.length < WEEK || week.some((leads) => leads === null)) return null;
  return week.reduce((sum, leads) => sum + leads, 0) / WEEK;
}

/** The columns of both panes. Steps begin at midnight and the last one goes on to the next, so one point is added. */
function columns(days) {
  const last = days.at(-1);
  const all = [...days, { ...last, leads: null, pending: null, spend: null }];
  const times = all.map((day, place) => (place === days.length ? seconds(last.date) + DAY : seconds(day.date)));
  const of = (value) => all.map(value);
  const mean = all.map((day, place) => (place < days.length && day.leads !== null ? weekMean(days, place) : null));
  const decided = of((day) => (day.leads === null ? null : day.leads - (day.pending || 0)));
  return {
    times,
    leads: [times, of((day) => day.leads), decided, of((day) => day.low), of((day) => day.high), of((day) => day.target_any), mean],
    money: [times, of((day) => day.spend), of((day) => day.budget)],
  };
}

/** `days` oldest first, `today` a further day without leads or null; `events` get a button each, `describe(event)` is its
 *  text, `onPick(event)` what it does. Returns the node, `show(days)`, and whether a chart will be drawn at all. */
export function segmentChart({ days: past, today, events, range, describe, onPick }) {
  const days = today ? [...past, today] : past;
  const hasMoney = days.some((day) => day.spend !== null || day.budget !== null);
  const top = element("div.pane");
  const bottom = element("div.pane");
  const lane = element("div.lane", { role: "group", "aria-label": say("chart.lane") });
  const readout = element("p.readout", { "aria-live": "polite" });
  const node = element("div.chart", { tabindex: "0", role: "group", "aria-roledescription": say("chart.role"), "aria-label": say("chart.label") },
    readout, element("p.pane-label", {}, say("chart.leads")), top, lane,
    element("p.pane-label", {}, say(hasMoney ? "chart.money" : "chart.no_money")), bottom);
  if (!past.length) return { node: element("p.muted", {}, say("chart.no_days")), show() {}, isDrawn: false };
  const chart = { days, events, range, hasMoney, data: columns(days), top, bottom, lane, readout, node, plots: [], at: past.length - 1, describe };
  chart.marks = [...events].reverse().map((event) => [event, mark(chart, event, onPick)]);
  lane.append(...chart.marks.map(([, button]) => button));
  node.addEventListener("keydown", (event) => onKey(chart, event));
  watch(chart);
  return { node, show: (count) => { chart.range = count; draw(chart); }, isDrawn: true };
}

function watch(chart) {
  let width = 0;
  const redraw = () => draw(chart);
  new ResizeObserver(() => {
    if (!chart.node.clientWidth || chart.node.clientWidth === width) return;
    width = chart.node.clientWidth;
    redraw();
  }).observe(chart.node);
  const queries = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((query) => matchMedia(query));
  const stop = new AbortController();
  const whileShown = () => (chart.node.isConnected ? redraw() : stop.abort());
  for (const query of queries) query.addEventListener("change", whileShown, { signal: stop.signal });
  document.addEventListener("themechange", whileShown, { signal: stop.signal });
}

function mark(chart, event, onPick) {
  const label = `${shortDay(event.day)}: ${chart.describe(event)}`;
  const kind = event.kind === "plan" ? (stateOf(event) === "not_made" ? "failed" : "planner") : event.kind;
  const button = element(`button.mark.mark-${kind}`, { type: "button", title: label, "aria-label": label, onclick: () => onPick(event) }, icon(eventIcon(event)));
  button.addEventListener("focus", () => point(chart, chart.days.findIndex((day) => day.date === event.day)));
  return button;
}

async function draw(chart) {
  let UPlot;
  try {
    UPlot = await uplot();
  } catch {
    chart.node.replaceChildren(element("p.muted", {}, say("chart.not_installed")));
    const table = chart.node.parentElement?.querySelector("details.numbers");
    if (table) table.open = true;
    return;
  }
  chart.plots.forEach((plot) => plot.destroy());
  chart.plots = [new UPlot(leadsOptions(chart, UPlot), chart.data.leads, chart.top)];
  if (chart.hasMoney) chart.plots.push(new UPlot(moneyOptions(chart, UPlot), chart.data.money, chart.bottom));
  read(chart, chart.at);
}

function line(label, more) {
  return { label, points: { show: false }, ...more };
}

function leadsOptions(chart, UPlot) {
  const bars = UPlot.paths.bars({ size: [0.74, 16], align: 1 });
  const steps = UPlot.paths.stepped({ align: 1 });
  const edge = { paths: steps, stroke: color("--band-line"), width: 1 };
  const series = [
    line("all", { paths: bars, fill: () => hatched(color("--bar-line")), stroke: color("--bar-line"), width: 1 }),
    line("decided", { paths: bars, fill: color("--bar"), stroke: color("--bar"), width: 1 }),
    line("low", edge),
    line("high", edge),
    line("target", { paths: steps, stroke: color("--target"), width: 2, dash: [6, 4] }),
    line("mean", { stroke: color("--text"), width: 2 }),
  ];
  const hasBand = chart.days.some((day) => day.low !== null);
  const bands = hasBand ? [{ series: [4, 3], fill: color("--band") }] : [];
  const height = chart.node.clientWidth < NARROW ? 200 : 250;
  return options(chart, { height, series, bands, values: whole, hasDates: !chart.hasMoney, fields: ["high", "leads", "target_any"] });
}

function moneyOptions(chart, UPlot) {
  const series = [
    line("spend", { paths: UPlot.paths.bars({ size: [0.74, 16], align: 1 }), fill: color("--spend"), stroke: color("--spend"), width: 1 }),
    line("budget", { paths: UPlot.paths.stepped({ align: 1 }), stroke: color("--accent"), width: 2 }),
  ];
  const height = chart.node.clientWidth < NARROW ? 130 : 150;
  return options(chart, { height, series, bands: [], values: (value) => euros(Math.round(value)), hasDates: true, fields: ["spend", "budget"] });
}

function options(chart, { height, series, bands, values, hasDates, fields }) {
  const { data, days, range } = chart;
  const shown = days.slice(-range - 1);
  const highest = 1.1 * Math.max(1, ...shown.flatMap((day) => fields.map((field) => day[field] || 0)));
  const [muted, grid] = [color("--muted"), color("--line")];
  const today = seconds(days.at(-1).date);
  return {
    width: chart.node.clientWidth || 800,
    height,
    series: [{}, ...series],
    bands,
    legend: { show: false },
    padding: [8, 8, hasDates ? 0 : 8, 0],
    cursor: { sync: { key: "segment" }, points: { show: false }, y: false, drag: { x: false, y: false } },
    scales: { x: { time: true, range: () => [data.times[Math.max(0, data.times.length - 2 - range)], data.times.at(-1)] }, y: { range: () => [0, highest] } },
    axes: [
      { show: hasDates, stroke: muted, font: FONT, grid: { show: false }, ticks: { stroke: grid, size: 4 }, space: 70, size: 26, values: (_, ticks) => ticks.map((tick) => (tick > today - DAY / 2 ? "" : shortDay(new Date(tick * 1000).toISOString().slice(0, 10)))) },
      { stroke: muted, font: FONT, grid: { stroke: grid, width: 1 }, ticks: { show: false }, size: 52, space: 34, incrs: STEPS, values: (_, ticks) => ticks.map(values) },
    ],
    hooks: {
      // Positions are known once a pane is drawn, not when it is made.
      draw: [(plot) => plot === chart.plots[0] && placeMarks(chart, plot)],
      setCursor: [(plot) => plot === chart.plots[0] && plot.cursor.left >= 0 && plot.cursor.idx !== null && read(chart, plot.cursor.idx)],
    },
  };
}

/** Put each button below its day; one that would overlap another goes a level down. */
function placeMarks(chart, plot) {
  const [left, width] = [plot.bbox.left / devicePixelRatio, plot.bbox.width / devicePixelRatio];
  const half = (width / (chart.range + 1)) * 0.37;
  const ends = [];
  for (const [event, button] of chart.marks) {
    const middle = plot.valToPos(seconds(event.day), "x") + half;
    button.hidden = middle < 0 || middle > width;
    if (button.hidden) continue;
    const place = Math.min(left + middle, left + width - MARK / 2);
    let level = ends.findIndex((end) => end <= place - MARK / 2);
    if (level < 0) level = ends.length;
    ends[level] = place + MARK / 2;
    button.style.setProperty("left", `${place}px`);
    button.style.setProperty("top", `${level * LANE_STEP}px`);
  }
  chart.lane.style.setProperty("height", `${Math.max(1, ends.length) * LANE_STEP + 3}px`);
}

function onKey(chart, event) {
  if (event.target !== chart.node) return;
  const last = chart.days.length - 1;
  const moves = { ArrowLeft: chart.at - 1, ArrowRight: chart.at + 1, Home: last - chart.range, End: last, PageUp: chart.at - WEEK, PageDown: chart.at + WEEK };
  const place = moves[event.key];
  if (place === undefined) return;
  event.preventDefault();
  point(chart, Math.max(0, Math.min(last, place)));
}

function point(chart, place) {
  if (place < 0 || !chart.plots.length) return;
  read(chart, place);
  for (const plot of chart.plots) plot.setCursor({ left: plot.valToPos(chart.data.times[place], "x") + 1, top: 10 }, false);
}

/** The figures of one day, above the chart. */
function read(chart, place) {
  chart.at = Math.max(0, Math.min(chart.days.length - 1, place));
  const day = chart.days[chart.at];
  const key = (name, text) => element(`span.key-${name}`, {}, text);
  const pending = day.pending ? `, ${say("chart.read_pending", { n: day.pending })}` : "";
  const leads = day.leads === null ? element("span.muted", {}, say("chart.not_over")) : key("bar", say("chart.read_leads", { n: day.leads }) + pending);
  const mean = day.leads === null ? null : weekMean(chart.days, chart.at);
  const money = day.spend === null ? say("chart.read_budget", { budget: euros(day.budget) }) : say("chart.read_spend", { spend: euros(day.spend), budget: euros(day.budget) });
  const parts = [
    element("b", {}, shortDay(day.date)),
    leads,
    mean === null ? null : key("mean", say("chart.read_mean", { mean: tenth(mean) })),
    day.expected === null ? null : key("band", say("chart.read_expected", { expected: tenth(day.expected), low: tenth(day.low), high: tenth(day.high) })),
    key("target", say("chart.read_target", { target: tenth(day.target_any) })),
    chart.hasMoney ? key("spend", money) : null,
    ...chart.events.filter((event) => event.day === day.date).map((event) => element("b", {}, chart.describe(event))),
  ];
  chart.readout.replaceChildren(...parts.filter(Boolean));
}
