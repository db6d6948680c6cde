// The words of the page, from one catalogue per language in static/words/, chosen by the browser's languages.

const LANGUAGES = ["en", "nl"];
const FALLBACK = "en-GB"; // for numbers beside English words where the browser asks for neither language

let words = {};
let rules = null;
let numbers = null;
/** The locale of numbers and dates; it agrees with the words. */
export let locale = FALLBACK;

/** Load the catalogue. Call it once, before anything is shown. Raises TypeError where it cannot be fetched. */
export async function loadLanguage() {
  const wanted = navigator.languages.find((tag) => LANGUAGES.includes(tag.slice(0, 2).toLowerCase()));
  locale = wanted || FALLBACK;
  const language = locale.slice(0, 2).toLowerCase();
  words = await (await fetch(`static/words/${language}.json`)).json();
  rules = new Intl.PluralRules(locale);
  numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  document.documentElement.lang = language;
}

/** Whether the catalogue has this key. */
export function has(key) {
  return find(key) !== undefined;
}

/** The words of a key with `{name}` replaced. An entry with several forms is chosen by the number `n`; a key that is
 *  missing is shown as it is. */
export function say(key, values = {}) {
  return pieces(key, values).join("");
}

/** The same as a list of texts and nodes: a value may be an element. */
export function tell(key, values = {}) {
  return pieces(key, values).filter((piece) => piece !== "");
}

function find(key) {
  return key.split(".").reduce((entry, part) => entry?.[part], words);
}

function pieces(key, values) {
  const entry = find(key);
  if (entry === undefined) return [key.split(".").at(-1).replaceAll("_", " ")];
  const text = typeof entry === "string" ? entry : entry[rules.select(values.n ?? 0)] ?? entry.other;
  return text.split(/\{(\w+)\}/).map((piece, place) => (place % 2 ? shown(values[piece]) : piece));
}

function shown(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" ? numbers.format(value) : value;
}
