"""Every campaign of an account with the budget in force and what Google says of both, as rows of `channel_budgets`."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, timedelta

import pandas as pd

from lead_demand.channels.google_ads import campaign_states
from lead_demand.channels.google_ads.history import by_others
from lead_demand.channels.google_ads.hook import GoogleAdsBudgetHook
from lead_demand.channels.google_ads.messages import Message, enum_name, enum_names, given, moment
from lead_demand.channels.paid import BUDGET_COLUMNS, ChangeHistory
from lead_demand.database import sql
from lead_demand.errors import SourceRefused, SourceUnavailable
from lead_demand.runs.day import AMSTERDAM, today
from lead_demand.text import plain

log = logging.getLogger(__name__)

# Whole days whose searches tell whether a budget limits its campaign: no weekday counts more than another.
SHARE_DAYS = 14


def read_budgets(hook: GoogleAdsBudgetHook, account: str, history: ChangeHistory | None) -> pd.DataFrame:
    """One row per campaign that is not removed.

    Columns: campaign_id, campaign_name, budget_id (str), amount_micros (int: per day, of a total budget its
    daily part), campaigns_on_budget (int: without experiments and drafts), is_budget_limited, is_learning (bool
    or None: not said), is_serving (bool: it may cost something today), not_serving (the reason why not),
    not_steerable, not_steerable_detail (why its budget is not changed, as a reason and in words),
    base_campaign_id (of an experiment or a draft), unreadable (str or None: what is no date or time), currency,
    time_zone (str), changed_at, changed_by (str or None): the last change in `history`, of the budget or of the
    campaign, that we did not make; search_impression_share, budget_lost_share (float or None: see
    `_search_shares`), recommended_micros (int or None: Google recommends no other budget).
    """
    changes = by_others(history) if history else {}
    rows = list(hook.rows(account, sql.render_gaql("campaign_budgets.gaql")))
    shares = _search_shares(hook, account) if history else {}
    now = datetime.now(tz=AMSTERDAM).replace(tzinfo=None)
    facts = {row.campaign.resource_name: _facts(row) for row in rows}
    stops = {name: campaign_states.not_serving(each, now) for name, each in facts.items()}
    copies = {name for name, each in facts.items() if each.experiment_type in ("DRAFT", "EXPERIMENT")}
    tested = {
        row.campaign.base_campaign
        for row in rows
        if facts[row.campaign.resource_name].experiment_type == "EXPERIMENT"
        and stops[row.campaign.resource_name] is None
    }
    on_budget: dict[str, Counter[bool]] = {}
    for row in rows:
        on_budget.setdefault(row.campaign_budget.resource_name, Counter())[row.campaign.resource_name in copies] += 1
    records = []
    for row in rows:
        campaign, budget = row.campaign, row.campaign_budget
        each, stop = facts[campaign.resource_name], stops[campaign.resource_name]
        wrong = [
            f"{name} '{plain(said, 60)}'"
            for name, said in (("a start", campaign.start_date_time), ("an end", campaign.end_date_time))
            if said and moment(said) is None
        ]
        held = campaign_states.not_steerable(each, in_experiment=campaign.resource_name in tested)
        # Whether Google counts a copy as a user of the budget is not said; it is never another segment's campaign.
        regular, copied = on_budget[budget.resource_name][False], on_budget[budget.resource_name][True]
        users = budget.reference_count
        both = [changes[name] for name in (budget.resource_name, campaign.resource_name) if name in changes]
        changed_at, changed_by = max(both, default=(None, None))
        shown, lost = shares.get(campaign.id, (None, None))
        records.append(
            {
                "campaign_id": str(campaign.id),
                "campaign_name": campaign.name,
                "budget_id": budget.resource_name,
                "amount_micros": campaign_states.daily_micros(each),
                "campaigns_on_budget": max(users - copied, min(regular, users)),
                "is_budget_limited": campaign_states.limited(each),
                "is_learning": campaign_states.learning(each),
                "is_serving": stop is None,
                "not_serving": stop,
                "not_steerable": held[0] if held and stop is None else None,
                "not_steerable_detail": held[1] if held and stop is None else None,
                "base_campaign_id": campaign.base_campaign.rpartition("/")[2]
                if campaign.resource_name in copies
                else None,
                "currency": row.customer.currency_code,
                "time_zone": row.customer.time_zone,
                "changed_at": changed_at,
                "changed_by": changed_by,
                "search_impression_share": shown,
                "budget_lost_share": lost,
                # Without a recommendation Google repeats the amount in force.
                "recommended_micros": budget.recommended_budget_amount_micros
                if budget.has_recommended_budget
                else None,
                "unreadable": ", ".join(wrong) or None,
            }
        )
    return pd.DataFrame(records, columns=list(BUDGET_COLUMNS))


def _search_shares(hook: GoogleAdsBudgetHook, account: str) -> dict[int, tuple[float | None, float | None]]:
    """Campaign -> of the searches of the last two weeks, the part on which it was shown and the part lost for want
    of budget, as Google gives them: 0.0999 is less than 10%, 0.9001 more than 90%. None: it does not say, as of a
    campaign without searches.

    Only a check needs them: where Google does not give them, none is known and the budgets are read all the same.
    """
    query = sql.render_gaql(
        "search_shares.gaql", first=today() - timedelta(days=SHARE_DAYS), last=today() - timedelta(days=1)
    )
    try:
        return {
            row.campaign.id: (
                given(row.metrics, "search_impression_share"),
                given(row.metrics, "search_budget_lost_impression_share"),
            )
            for row in hook.rows(account, query)
        }
    except (SourceRefused, SourceUnavailable) as refused:
        log.warning(
            "The budgets of account %s were read, the shares of its searches were not; nothing waits for them, but "
            "whether a budget truly limits its campaign is not checked today. %s %s",
            account,
            refused.facts.happened,
            refused.facts.todo,
        )
        return {}


def _facts(row: Message) -> campaign_states.Facts:
    campaign, budget = row.campaign, row.campaign_budget
    return campaign_states.Facts(
        status=enum_name(campaign, "status"),
        primary_status=enum_name(campaign, "primary_status"),
        reasons=enum_names(campaign, "primary_status_reasons"),
        bidding_status=enum_name(campaign, "bidding_strategy_system_status"),
        bidding_type=enum_name(campaign, "bidding_strategy_type"),
        channel_type=enum_name(campaign, "advertising_channel_type"),
        experiment_type=enum_name(campaign, "experiment_type"),
        account_status=enum_name(row.customer, "status"),
        starts=moment(campaign.start_date_time),
        ends=moment(campaign.end_date_time),
        period=enum_name(budget, "period"),
        budget_type=enum_name(budget, "type_" if "type_" in budget.DESCRIPTOR.fields_by_name else "type"),
        delivery=enum_name(budget, "delivery_method"),
        amount_micros=budget.amount_micros,
        total_micros=budget.total_amount_micros,
    )
