// The page: which view the address asks for, and what to say where there is no answer.
import { announce, copy } from "./lib/announce.js";
import { hashOf, here, momentOfRun } from "./lib/address.js";
import { Trouble } from "./lib/api.js";
import { element, fill } from "./lib/elements.js";
import { dayOf, longDay } from "./lib/format.js";
import { loadLanguage, say } from "./lib/language.js";
import { dagAddress, outLink } from "./lib/links.js";
import { followAirflow } from "./lib/theme.js";
import { button, state } from "./parts/controls.js";
import { healthView } from "./views/health.js";
import { logView } from "./views/log.js";
import { segmentView } from "./views/segment.js";
import { todayView } from "./views/today.js";

const VIEWS = ["today", "log", "health"];
const STALE_AFTER = 120_000; // milliseconds: a page that comes back into sight after that is read again
const main = document.getElementById("main");

let shown = ""; // the view that stands there, without its parameters
let asked = 0; // answers of an earlier question are thrown away
let readAt = 0;

/** What a view may do to the page around it. */
const page = {
  /** Another address, without a new entry in the history for each letter of a search. */
  go(hash) {
    history.replaceState(null, "", hash);
    return render();
  },
  /** Remember something in the address; nothing is asked again. */
  keep(hash) {
    history.replaceState(null, "", hash);
    answered(hash);
  },
  showDay(day) {
    document.getElementById("as-of").textContent = day ? longDay(day) : "";
  },
};

function ask({ view, argument, parameters }) {
  if (view === "segment") return segmentView(argument, parameters, page);
  if (view === "log") return logView(parameters, page);
  return view === "health" ? healthView(page) : todayView(parameters, page);
}

async function render() {
  const turn = ++asked;
  const hash = location.hash;
  const address = here();
  const name = `${address.view}/${address.argument}`;
  const isSame = name === shown;
  mark(address.view);
  main.setAttribute("aria-busy", "true");
  let content;
  try {
    content = await ask(address);
  } catch (error) {
    if (!(error instanceof Trouble)) console.error(error);
    content = trouble(error instanceof Trouble ? error.kind : "broken", address);
  }
  if (turn !== asked) return;
  const before = isSame ? whereFocusIs() : null;
  fill(main, content);
  main.removeAttribute("aria-busy");
  document.title = `${main.querySelector("h1")?.textContent || say("page.name")} · ${say("page.name")}`;
  if (before) restoreFocus(before);
  else if (shown) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
    announce(document.title);
  }
  shown = name;
  readAt = Date.now();
  answered(hash);
}

/** Says for which address the content stands: the browser changes the address first, and tells of it later. */
function answered(hash) {
  document.documentElement.dataset.shown = hash;
}

function mark(view) {
  const current = view === "segment" ? "today" : view;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** A filter exchanges the view below the reader's fingers: the field, and the place in it, are found again by its id. */
function whereFocusIs() {
  const { id, selectionStart, selectionEnd, value } = document.activeElement;
  return { id, selectionStart, selectionEnd, value };
}

function restoreFocus({ id, selectionStart, selectionEnd, value }) {
  const field = id && document.getElementById(id);
  if (!field) return;
  field.focus({ preventScroll: true });
  if (field.type !== "search") return;
  field.value = value; // what was typed while the server answered
  field.setSelectionRange(selectionStart, selectionEnd);
}

// -- no answer -----------------------------------------------------------------------------------------------------------

const TROUBLE = {
  signed_out: () => ["hand", button(say("action.reload"), () => location.reload())],
  forbidden: () => ["hand"],
  not_found: () => ["ask", element("a.button", { href: hashOf("today") }, say("action.to_today"))],
  bad_filter: ({ view }) => ["ask", element("a.button", { href: hashOf(view === "segment" ? "today" : view) }, say("action.without_filters"))],
  database_down: () => ["warn", advice(), again()],
  no_network: () => ["warn", again()],
  broken: () => ["warn", element("p", {}, outLink(dagAddress("lead_budgets"), say("trouble.runs"))), again()],
};

function trouble(kind, address) {
  page.showDay(null);
  const [picture, ...more] = TROUBLE[kind](address);
  return state(picture, say(`trouble.${kind}`), say(`trouble.${kind}_what`), ...more);
}

function advice() {
  return element("ul", {}, element("li", {}, say("trouble.runbook")), element("li", {}, outLink(dagAddress("lead_budgets"), say("trouble.runs"))));
}

function again() {
  return button(say("action.again"), render, { id: "again" });
}

// -- the frame of the page -----------------------------------------------------------------------------------------------

function dress() {
  document.getElementById("skip").textContent = say("page.skip");
  document.getElementById("brand").textContent = say("page.name");
  const views = document.getElementById("views");
  views.setAttribute("aria-label", say("page.views"));
  fill(views, VIEWS.map((view) => element("a", { href: hashOf(view), "data-view": view }, say(`view.${view}`))));
  const link = document.getElementById("copy-link");
  fill(link, say("action.copy_link"));
  link.addEventListener("click", async () => announce(say((await copy(location.href)) ? "action.link_copied" : "action.not_copied")));
  link.hidden = window.parent === window; // alone, the browser shows the address
}

function listen() {
  addEventListener("hashchange", render);
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const search = document.getElementById("search");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && Date.now() - readAt > STALE_AFTER) render();
  });
  // The skip link would change the hash, which is the address of the view.
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
}

async function begin() {
  followAirflow();
  try {
    await loadLanguage();
  } catch {
    document.getElementById("loading").textContent = "The page could not be loaded: the network does not answer. Reload it once you are connected.";
    return;
  }
  dress();
  listen();
  const moment = location.hash ? null : momentOfRun();
  if (moment && dayOf(moment) < dayOf(Date.now())) history.replaceState(null, "", hashOf("today", { day: dayOf(moment) }));
  await render();
}

begin();
