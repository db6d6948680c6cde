// Numbers, euros, days and times in the reader's locale. Unknown (null) is a dash, never 0.
import { locale, say } from "./language.js";

const ZONE = "Europe/Amsterdam";
const DAY_LENGTH = 86_400_000;
export const UNKNOWN = "–";

const made = new Map(); // formatters are costly to make, and a table asks for thousands
function formatter(kind, options) {
  const key = kind.name + JSON.stringify(options);
  if (!made.has(key)) made.set(key, new kind(locale, options));
  return made.get(key);
}

function number(value, options) {
  if (value === null || value === undefined || Number.isNaN(value)) return UNKNOWN;
  return formatter(Intl.NumberFormat, options).format(value).replace("-", "−");
}

function date(moment, options) {
  return formatter(Intl.DateTimeFormat, options).format(moment);
}

function noon(day) {
  return new Date(`${day}T12:00:00Z`);
}

/** A count. */
export const whole = (value) => number(value, { maximumFractionDigits: 0 });
/** Leads per day. */
export const tenth = (value) => number(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
/** A number as it is, to two places. */
export const decimal = (value) => number(value, { maximumFractionDigits: 2 });
/** A part of one, as percent. */
export const percent = (part) => number(part, { style: "percent", maximumFractionDigits: 0 });
/** A change as percent, with its sign. */
export const change = (part) => number(part, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
/** Euros and cents. */
export const cents = (value) => number(value, { style: "currency", currency: "EUR" });

/** Euros; cents only where there are some and they matter. */
export function euros(value) {
  const isWhole = value === null || value === undefined || Math.abs(value) >= 1000 || Number.isInteger(value);
  return number(value, { style: "currency", currency: "EUR", ...(isWhole ? { maximumFractionDigits: 0 } : {}) });
}

/** Euros with a sign. */
export function moreEuros(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const rounded = Math.round(value * 100) / 100;
  return (rounded < 0 ? "−" : "+") + euros(Math.abs(rounded));
}

/** A day of a table, `YYYY-MM-DD`: 3 Nov. */
export const shortDay = (day) => (day ? date(noon(day), { day: "numeric", month: "short", timeZone: "UTC" }) : UNKNOWN);
/** Monday 3 November. */
export const longDay = (day) => date(noon(day), { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });
/** November. */
export const monthName = (day) => date(noon(day), { month: "long", timeZone: "UTC" });
/** 06:03 of a moment, in Amsterdam. */
export const clock = (moment) => (moment ? date(new Date(moment), { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: ZONE }) : UNKNOWN);

/** The day in Amsterdam of a moment, `YYYY-MM-DD`. */
export function dayOf(moment) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: ZONE }).format(new Date(moment));
}

/** "today 06:03" or "24 Nov 06:03". */
export function when(moment, today) {
  if (!moment) return say("time.never");
  const day = dayOf(moment);
  return `${day === today ? say("time.today") : shortDay(day)} ${clock(moment)}`;
}

export function daysLater(day, count) {
  const moved = noon(day);
  moved.setUTCDate(moved.getUTCDate() + count);
  return moved.toISOString().slice(0, 10);
}

export function daysBetween(first, last) {
  return Math.round((noon(last) - noon(first)) / DAY_LENGTH);
}

/** How many days its month has. */
export function daysInMonth(day) {
  return new Date(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)), 0)).getUTCDate();
}

export function capital(text) {
  return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
}

/** "noord-brabant" → "Noord-Brabant". */
export function place(region) {
  return region.split("-").map(capital).join("-");
}

// Logins that many share: what they did was done by a statement of SQL, and only the database knows by whom.
const SHARED_LOGINS = new Set(["postgres", "supabase_admin", "service_role", "authenticator"]);

/** The name of a person without the domain of an address. */
export function person(name) {
  if (SHARED_LOGINS.has(name)) return say("who.database", { name });
  return name ? name.split("@")[0] : say("who.planner");
}

/** What a segment is called: { branch, region }. */
export function segmentName({ branch, region }) {
  return `${capital(branch)} ${place(region)}`;
}

/** Without a full stop at the end. */
export function unended(text) {
  return text.replace(/\.$/, "");
}
