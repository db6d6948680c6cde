// Search, lists and states that several views share.
import { element } from "../lib/elements.js";
import { icon } from "../lib/icons.js";

const TYPING = 220; // milliseconds without a key before the server is asked

/** A field that searches while somebody types. */
export function searchField(value, label, onChange) {
  let timer = 0;
  return element("input", {
    type: "search",
    id: "search",
    placeholder: label,
    "aria-label": label,
    "aria-keyshortcuts": "/",
    value: value || "",
    maxlength: 100,
    oninput: (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => onChange(event.target.value), TYPING);
    },
  });
}

/** A list of [value, text]; the first entry is what stands there when nothing is chosen. */
export function choice(name, label, value, entries, onChange) {
  const options = entries.map(([key, text]) => element("option", { value: key, selected: key === (value || entries[0][0]) }, text));
  return element(
    `select${value ? ".chosen" : ""}`,
    { id: `choose-${name}`, "aria-label": label, onchange: (event) => onChange(event.target.value) },
    options,
  );
}

/** A day of the calendar. */
export function dayField(name, label, value, latest, onChange) {
  return element(
    "label.day",
    {},
    element("span", {}, label),
    element("input", { type: "date", id: `choose-${name}`, value: value || "", max: latest, onchange: (event) => onChange(event.target.value) }),
  );
}

/** Instead of a view: what is the matter, and what to do. */
export function state(kind, title, text, ...more) {
  return element("div.state", {}, icon(kind), element("h1", {}, title), element("p", {}, text), ...more);
}

export function banner(tone, title, text) {
  return element(`div.banner.${tone}`, {}, icon("warn"), element("p", {}, element("b", {}, `${title} `), text));
}

export function button(label, onClick, attributes = {}) {
  return element("button.button", { type: "button", onclick: onClick, ...attributes }, label);
}

/** "Show 25 more of 80" below a list; it is disabled while the server is asked. */
export function moreButton(id, label, onMore) {
  return button(label, async (event) => {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    pressed.setAttribute("aria-busy", "true");
    try {
      await onMore();
    } finally {
      pressed.disabled = false;
      pressed.removeAttribute("aria-busy");
    }
  }, { id });
}
