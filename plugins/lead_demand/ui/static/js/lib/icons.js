// Small pictures of 16 × 16. With a label they are images to a screen reader, without one they are decoration.
import { drawing } from "./elements.js";

const FILLED = { up: "M8 3l5 6H9.5v4h-3V9H3z", down: "M8 13L3 7h3.5V3h3v4H13z" };
const LINES = {
  check: "M2.8 8.4l3.4 3.4 7-7.4",
  cross: "M4 4l8 8M12 4l-8 8",
  wait: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 4.8V8l2.3 1.6",
  hold: "M5.6 4v8M10.4 4v8",
  undo: "M6 3L3 6l3 3M3.2 6H10a3.2 3.2 0 0 1 0 6.4H6.5",
  hand: "M3 13l.7-3L10.6 3.1a1.3 1.3 0 0 1 1.9 0l.4.4a1.3 1.3 0 0 1 0 1.9L6 12.3z",
  limit: "M2.5 4.5h11M2.5 11.5h11M5.5 2.5v4M10.5 9.5v4",
  warn: "M8 2.5l6.2 11H1.8zM8 6.4v3.4M8 11.7v.1",
  out: "M6 3.5H3.5v9h9V10M9 3h4v4M13 3L7.4 8.6",
  dash: "M3.5 8h9",
  ask: "M2.6 3h10.8v7.6H8.4L5.4 13v-2.4H2.6z",
};

export function icon(name, label) {
  const seen = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  const shape = FILLED[name]
    ? { d: FILLED[name], fill: "currentColor" }
    : { d: LINES[name], fill: "none", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round" };
  return drawing("svg", { viewBox: "0 0 16 16", class: `icon icon-${name}`, ...seen }, drawing("path", shape));
}
