"""What an account's change history says of money: who changed a budget, or what a campaign may cost, and when."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from lead_demand.channels.google_ads.hook import GoogleAdsBudgetHook
from lead_demand.channels.google_ads.messages import Message, enum_name, moment
from lead_demand.channels.paid import AccountChange, ChangeHistory, from_micros
from lead_demand.database import sql
from lead_demand.runs.day import AMSTERDAM, today
from lead_demand.text import plain

MOST_CHANGE_EVENTS = 10_000
# The fields whose change by a person is left alone for the length of a cool-down.
MONEY_FIELDS = {
    "CAMPAIGN_BUDGET": {"amount_micros", "total_amount_micros"},
    "CAMPAIGN": {"campaign_budget", "status", "start_date_time", "end_date_time", "start_date", "end_date"},
}
# Where people work. A change from there is a person's, also under a user whom our credentials act for.
PEOPLES_CLIENTS = {
    "GOOGLE_ADS_WEB_CLIENT",
    "GOOGLE_ADS_AUTOMATED_RULE",
    "GOOGLE_ADS_SCRIPTS",
    "GOOGLE_ADS_BULK_UPLOAD",
    "GOOGLE_ADS_EDITOR",
    "GOOGLE_ADS_MOBILE_APP",
    "GOOGLE_ADS_RECOMMENDATIONS",
    "GOOGLE_ADS_RECOMMENDATIONS_SUBSCRIPTION",
    "SEARCH_ADS_360_SYNC",
    "SEARCH_ADS_360_POST",
}


def change_history(hook: GoogleAdsBudgetHook, account: str, since_days: int) -> ChangeHistory:
    """The change events that say what a campaign may cost: amounts of budgets, campaigns that were made, enabled,
    paused, given other dates or pointed at another budget.

    `since` is later than asked for where one second has more events than an answer holds. A campaign's event has
    no amounts; an event that several campaigns of a budget share is given once.
    """
    ours = hook.own_email(account)
    until = datetime.now(tz=AMSTERDAM)
    first = today() - timedelta(days=min(since_days, 29))
    events, cut_at = _changes(hook, account, first)
    changes: dict[AccountChange, None] = {}
    for event in events:
        is_ours = event.user_email == ours and enum_name(event, "client_type") not in PEOPLES_CLIENTS
        at = moment(event.change_date_time)
        if at is None and is_ours:
            continue
        change = AccountChange(
            event.change_resource_name,
            # At a time that cannot be read, somebody changed it: that is as good as just now.
            until if at is None else at.replace(tzinfo=AMSTERDAM),
            plain(event.user_email, 200),
            is_ours,
            _amount(event, event.old_resource),
            _amount(event, event.new_resource),
        )
        changes[change] = None
    since = datetime.combine(first, time.min, tzinfo=AMSTERDAM)
    if cut_at and (cut := moment(cut_at)):
        since = cut.replace(tzinfo=AMSTERDAM) + timedelta(seconds=1)
    return ChangeHistory(tuple(change for change in changes if change.at >= since), since, until)


def by_others(history: ChangeHistory) -> dict[str, tuple[str, str]]:
    """Resource name of a budget or a campaign -> (when, who) of its last change that we did not make."""
    changes: dict[str, tuple[str, str]] = {}
    for change in history.changes:
        if not change.is_ours:
            changes.setdefault(change.resource, (change.at.isoformat(sep=" ", timespec="seconds"), change.by))
    return changes


def _changes(hook: GoogleAdsBudgetHook, account: str, first: date) -> tuple[list[Message], str | None]:
    """The change events that move money, newest first, and the second at which they are cut off, if they are.

    Where there are more than one answer holds, the rest is asked for: up to the end of the oldest second seen,
    which gives the events of that second twice.
    """
    last, found = str(today() + timedelta(days=1)), list[Message]()
    while True:
        query = sql.render_gaql("budget_changes.gaql", first=first, last=last, most=MOST_CHANGE_EVENTS)
        events = [row.change_event for row in hook.rows(account, query)]
        found += filter(_moves_money, events)
        if len(events) < MOST_CHANGE_EVENTS:
            return found, None
        oldest = events[-1].change_date_time[:19]
        end = str(datetime.fromisoformat(oldest) + timedelta(seconds=1))
        if end >= last:
            return found, oldest
        last = end


def _amount(event: Message, resource: Message) -> Decimal | None:
    if "amount_micros" not in event.changed_fields.paths and enum_name(event, "resource_change_operation") != "CREATE":
        return None
    micros = resource.campaign_budget.amount_micros
    return from_micros(micros) if micros else None


def _moves_money(event: Message) -> bool:
    if enum_name(event, "resource_change_operation") == "CREATE":
        return True
    fields = MONEY_FIELDS.get(enum_name(event, "change_resource_type"), set())
    return not fields.isdisjoint(event.changed_fields.paths)
