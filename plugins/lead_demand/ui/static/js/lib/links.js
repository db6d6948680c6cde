// Links out of the page: to Airflow's own pages and to Google Ads.
import { element, unseen } from "./elements.js";
import { icon } from "./icons.js";
import { say } from "./language.js";

// Airflow may be served below a prefix; this page lies at <prefix>/lead-demand/page.
const AIRFLOW = location.pathname.replace(/\/lead-demand\/.*$/, "");

export const dagAddress = (dag) => `${AIRFLOW}/dags/${dag}`;
export const runAddress = (dag, run) => `${dagAddress(dag)}/runs/${encodeURIComponent(run)}`;
export const taskAddress = (dag, run, task) => `${runAddress(dag, run)}/tasks/${task}`;
const questionAddress = (run) => `${runAddress("lead_budgets", run)}/required_actions`;
export const campaignAddress = (account, campaign) =>
  `https://ads.google.com/aw/campaigns?campaignId=${encodeURIComponent(campaign)}&__e=${encodeURIComponent(account)}`;

// Of mornings that `make tomorrow` lived without Airflow (local/plain_morning.py): Airflow has no such run to link to.
const LIVED = "lived__";

/** Whether Airflow knows the run. */
export const isInAirflow = (run) => !run?.startsWith(LIVED);

/** A link to something of a run; words instead where Airflow does not know it. */
export function runLink(run, address, ...children) {
  return isInAirflow(run) ? outLink(address, ...children) : element("span.muted", {}, ...children, ` (${say("link.lived")})`);
}

/** A link to where a question is answered; what to do where it cannot be. */
export function answerLink(run, ...children) {
  return run && isInAirflow(run) ? outLink(questionAddress(run), ...children) : element("span", {}, say("link.unasked"));
}

const isFramed = window.parent !== window;

/** A link to another page. The sandbox of Airflow's frame forbids pop-ups and navigation of the top window, so a click
 *  there is made by an anchor in the parent's own document; everywhere else it is a plain link. */
export function outLink(address, ...children) {
  const isElsewhere = address.startsWith("https://");
  const shown = isElsewhere ? [...children, unseen(` ${say("link.new_tab")}`)] : children;
  return element(
    "a.out",
    { href: address, target: isElsewhere ? "_blank" : "_top", rel: isElsewhere ? "noopener" : null, onclick: open },
    ...shown,
    icon("out"),
  );
}

function open(event) {
  if (!isFramed || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.currentTarget;
  try {
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    outside.target = link.target === "_blank" ? "_blank" : "_self";
    outside.rel = "noopener";
    event.preventDefault();
    window.parent.document.body.append(outside);
    outside.click();
    outside.remove();
  } catch {
    // Framed by another origin: the plain link is all there is.
  }
}
