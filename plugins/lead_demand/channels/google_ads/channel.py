"""Google Ads: spend, clicks and impressions per campaign and day; daily budgets read and set.

Source: Google Ads API, version pinned below. Connections: `google_ads_default` (and `google_cloud_default` for the
key file). Days are the account's own; an account in another time zone or currency than `orchestration_settings` is
never budgeted.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pandas as pd
from airflow.providers.google.ads.hooks.ads import GoogleAdsHook
from google.ads.googleads.errors import GoogleAdsException
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from lead_demand.channels.contract import Fetched, match_exactly
from lead_demand.channels.google_ads import answers, campaigns
from lead_demand.channels.paid import AccountChange, ChangeHistory, Outcome, from_micros, to_micros
from lead_demand.channels.sums import Sum
from lead_demand.database import sql
from lead_demand.database.findings import Level
from lead_demand.errors import SourceRefused, SourceUnavailable
from lead_demand.runs.day import AMSTERDAM, Window, today
from lead_demand.text import plain

log = logging.getLogger(__name__)

API_VERSION = "v26"
# How many names one query may list.
NAMES_PER_QUERY = 1_000
MOST_CHANGE_EVENTS = 10_000
# Whole days whose searches tell whether a budget limits its campaign: no weekday counts more than another.
SHARE_DAYS = 14
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
BUDGET_COLUMNS = [
    "campaign_id",
    "campaign_name",
    "budget_id",
    "amount_micros",
    "campaigns_on_budget",
    "is_budget_limited",
    "is_learning",
    "is_serving",
    "not_serving",
    "not_steerable",
    "not_steerable_detail",
    "base_campaign_id",
    "currency",
    "time_zone",
    "changed_at",
    "changed_by",
    "search_impression_share",
    "budget_lost_share",
    "recommended_micros",
    "unreadable",
]


class GoogleAdsBudgetHook(GoogleAdsHook):
    """GoogleAdsHook with streamed reads, budget writes, and Google's recommended direct service-account access.

    The provider's hook insists on `impersonated_email`, which Google calls optional, and has no way to write.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(api_version=API_VERSION, **kwargs)
        # A stream dies with "Channel deallocated" once its service client is collected, so each is kept.
        self._services: dict[str, Any] = {}

    def _determine_authentication_method(self) -> None:
        if self.google_ads_config.get("use_application_default_credentials"):
            self.authentication_method = "developer_token"
        elif self.google_ads_config.get("json_key_file_path"):
            self.authentication_method = "service_account"
        else:
            super()._determine_authentication_method()

    def service(self, name: str) -> Any:
        if name not in self._services:
            self._services[name] = self._get_client.get_service(name, version=API_VERSION)
        return self._services[name]

    def new(self, type_name: str) -> Any:
        return self._get_client.get_type(type_name, version=API_VERSION)

    def rows(self, account: str, query: str, timeout: float = 300) -> Iterator[Any]:
        """Protobuf rows of a query, streamed. Raises SourceUnavailable or SourceRefused."""
        try:
            stream = self.service("GoogleAdsService").search_stream(customer_id=account, query=query, timeout=timeout)
            for batch in stream:
                yield from type(batch).pb(batch).results
        except (GoogleAdsException, GoogleAPICallError, GoogleAuthError) as error:
            raise _read_error(account, error) from error

    def set_amounts(
        self, account: str, amounts: Mapping[str, int], *, validate_only: bool, timeout: float = 60
    ) -> dict[str, Outcome]:
        """Send absolute amounts (micros) by budget resource name, each operation on its own feet."""
        request = self.new("MutateCampaignBudgetsRequest")
        request.customer_id, request.partial_failure, request.validate_only = account, True, validate_only
        for budget, micros in amounts.items():
            operation = self.new("CampaignBudgetOperation")
            operation.update.resource_name, operation.update.amount_micros = budget, micros
            operation.update_mask.paths.append("amount_micros")
            request.operations.append(operation)
        outcomes: dict[str, Outcome] = {}
        try:
            response = self.service("CampaignBudgetService").mutate_campaign_budgets(request=request, timeout=timeout)
            for budget, result in zip(amounts, response.results, strict=not validate_only):
                # Only a result that names the budget is a yes; whatever else was said must be read back.
                if result.resource_name == budget:
                    outcomes[budget] = Outcome(True)
            for detail in response.partial_failure_error.details:
                failure = answers.failure_type(API_VERSION).deserialize(detail.value)
                for error in failure.errors:
                    at = next(e.index for e in error.location.field_path_elements if e.field_name == "operations")
                    outcomes[list(amounts)[at]] = answers.outcome_of_error(error, failure.request_id)
        except Exception as failed:
            # Whatever it was becomes an outcome: what is unknown must be settled, not raised.
            unanswered = answers.outcome_of_exception(failed, API_VERSION)
            return {budget: outcomes.get(budget, unanswered) for budget in amounts}
        silent = Outcome(True) if validate_only else Outcome(None, "no_result", "the answer does not name this budget")
        return {budget: outcomes.get(budget, silent) for budget in amounts}


def _read_error(account: str, error: Exception) -> SourceUnavailable | SourceRefused:
    outcome = answers.outcome_of_exception(error, API_VERSION)
    what = f"Google Ads account {account} could not be read: {outcome.error_code}: {outcome.detail}"
    if outcome.request_id:
        what += f" (request {outcome.request_id})"
    if outcome.retry_after is not None:
        return SourceUnavailable(f"{what.rstrip('.')}.")
    return SourceRefused(f"{what.rstrip('.')}.", todo=answers.advice(outcome.error_code))


class GoogleAds:
    """Campaigns of Google Ads accounts; `external_id` is the campaign id, an account is a ten-digit customer id."""

    name: ClassVar[str] = "google_ads"
    metrics: ClassVar[tuple[str, ...]] = ("spend_micros", "impressions", "clicks", "conversions_micros")
    empty_day: ClassVar[Level] = "stop"
    late_days: ClassVar[int] = 1
    unmatched: ClassVar[str | None] = None
    # Each campaign's cost is rounded for itself, and so is the account's; a conversion may be shared by campaigns. Late
    # corrections reach the two reports at different times.
    sums: ClassVar[tuple[Sum, ...]] = (
        Sum("spend", "spend_micros", ("spend_micros",), "stop", Decimal("0.05"), Decimal("0.001")),
        Sum("impressions", "impressions", ("impressions",), "warn", Decimal(10), Decimal("0.005")),
        Sum("clicks", "clicks", ("clicks",), "warn", Decimal(2), Decimal("0.005")),
        Sum("conversions", "conversions_micros", ("conversions_micros",), "warn", Decimal(1), Decimal("0.01")),
    )
    billable_unit = Decimal("0.01")

    def __init__(self) -> None:
        self.hook = GoogleAdsBudgetHook()

    def fetch(self, account: str, window: Window) -> Fetched:
        """One row per (campaign, day) that had any activity, whatever became of the campaign since: the API leaves out
        days on which every metric is zero, and gives paused and removed campaigns where the query names no status.
        """
        query = sql.render_gaql("campaign_metrics.gaql", first=window.first, last=window.last)
        records = [
            (
                str(row.campaign.id),
                row.segments.date,
                row.metrics.cost_micros,
                row.metrics.impressions,
                row.metrics.clicks,
                _micros(row.metrics.conversions),
            )
            for row in self.hook.rows(account, query)
        ]
        frame = pd.DataFrame(records, columns=["external_id", "date", *self.metrics])
        # Conversions land on the day of the click for up to a month, so nothing younger is final.
        settled = (today() - timedelta(days=30)).isoformat()
        return Fetched(frame.assign(is_final=frame["date"] < settled))

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame:
        """The account's own row of each day: every campaign is in it, also one that is removed or of a kind that the
        list of campaigns lacks.
        """
        query = sql.render_gaql("account_metrics.gaql", first=window.first, last=window.last)
        records = [
            (
                row.segments.date,
                row.metrics.cost_micros,
                row.metrics.impressions,
                row.metrics.clicks,
                _micros(row.metrics.conversions),
            )
            for row in self.hook.rows(account, query)
        ]
        return pd.DataFrame(records, columns=["date", *self.metrics])

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        return raw.assign(segment_id=match_exactly(raw, sources))

    def read_budgets(self, account: str, history: ChangeHistory | None = None) -> pd.DataFrame:
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
        changes = _by_others(history) if history else {}
        rows = list(self.hook.rows(account, sql.render_gaql("campaign_budgets.gaql")))
        shares = self._search_shares(account) if history else {}
        now = datetime.now(tz=AMSTERDAM).replace(tzinfo=None)
        facts = {row.campaign.resource_name: _facts(row) for row in rows}
        stops = {name: campaigns.not_serving(each, now) for name, each in facts.items()}
        copies = {name for name, each in facts.items() if each.experiment_type in ("DRAFT", "EXPERIMENT")}
        tested = {
            row.campaign.base_campaign
            for row in rows
            if facts[row.campaign.resource_name].experiment_type == "EXPERIMENT"
            and stops[row.campaign.resource_name] is None
        }
        on_budget: dict[str, Counter[bool]] = {}
        for row in rows:
            on_budget.setdefault(row.campaign_budget.resource_name, Counter())[
                row.campaign.resource_name in copies
            ] += 1
        records = []
        for row in rows:
            campaign, budget = row.campaign, row.campaign_budget
            each, stop = facts[campaign.resource_name], stops[campaign.resource_name]
            wrong = [
                f"{name} '{plain(said, 60)}'"
                for name, said in (("a start", campaign.start_date_time), ("an end", campaign.end_date_time))
                if said and _moment(said) is None
            ]
            held = campaigns.not_steerable(each, in_experiment=campaign.resource_name in tested)
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
                    "amount_micros": campaigns.daily_micros(each),
                    "campaigns_on_budget": max(users - copied, min(regular, users)),
                    "is_budget_limited": campaigns.limited(each),
                    "is_learning": campaigns.learning(each),
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
        return pd.DataFrame(records, columns=BUDGET_COLUMNS)

    def _search_shares(self, account: str) -> dict[int, tuple[float | None, float | None]]:
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
                    _given(row.metrics, "search_impression_share"),
                    _given(row.metrics, "search_budget_lost_impression_share"),
                )
                for row in self.hook.rows(account, query)
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

    def removed_campaigns(self, account: str, campaigns: Sequence[str]) -> set[str]:
        removed: set[str] = set()
        for start in range(0, len(campaigns), NAMES_PER_QUERY):
            query = sql.render_gaql("removed_campaigns.gaql", campaigns=campaigns[start : start + NAMES_PER_QUERY])
            removed |= {str(row.campaign.id) for row in self.hook.rows(account, query, timeout=60)}
        return removed

    def foreign_changes(self, account: str, since_days: int) -> dict[str, tuple[str, str]]:
        others = _by_others(self.change_history(account, since_days))
        return {name: change for name, change in others.items() if "/campaignBudgets/" in name}

    def own_changes(self, account: str, since_days: int) -> dict[str, list[tuple[datetime, Decimal]]]:
        changes: dict[str, list[tuple[datetime, Decimal]]] = {}
        for change in self.change_history(account, since_days).changes:
            if change.is_ours and change.new_value is not None:
                changes.setdefault(change.resource, []).append((change.at, change.new_value))
        return changes

    def change_history(self, account: str, since_days: int) -> ChangeHistory:
        """The change events that say what a campaign may cost: amounts of budgets, campaigns that were made, enabled,
        paused, given other dates or pointed at another budget.

        `since` is later than asked for where one second has more events than an answer holds. A campaign's event has
        no amounts; an event that several campaigns of a budget share is given once.
        """
        ours = self.own_email(account)
        until = datetime.now(tz=AMSTERDAM)
        first = today() - timedelta(days=min(since_days, 29))
        events, cut_at = self._changes(account, first)
        changes: dict[AccountChange, None] = {}
        for event in events:
            is_ours = event.user_email == ours and _enum_name(event, "client_type") not in PEOPLES_CLIENTS
            at = _moment(event.change_date_time)
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
        if cut_at and (moment := _moment(cut_at)):
            since = moment.replace(tzinfo=AMSTERDAM) + timedelta(seconds=1)
        return ChangeHistory(tuple(change for change in changes if change.at >= since), since, until)

    def _changes(self, account: str, first: date) -> tuple[list[Any], str | None]:
        """The change events that move money, newest first, and the second at which they are cut off, if they are.

        Where there are more than one answer holds, the rest is asked for: up to the end of the oldest second seen,
        which gives the events of that second twice.
        """
        last, found = str(today() + timedelta(days=1)), list[Any]()
        while True:
            query = sql.render_gaql("budget_changes.gaql", first=first, last=last, most=MOST_CHANGE_EVENTS)
            events = [row.change_event for row in self.hook.rows(account, query)]
            found += filter(_moves_money, events)
            if len(events) < MOST_CHANGE_EVENTS:
                return found, None
            oldest = events[-1].change_date_time[:19]
            end = str(datetime.fromisoformat(oldest) + timedelta(seconds=1))
            if end >= last:
                return found, oldest
            last = end

    def own_email(self, account: str) -> str | None:
        """The user that Google's change history shows for our own changes. Raises like a read of the account: the
        client asks for its first token here.
        """
        try:
            credentials = self.hook._get_client.credentials
        except GoogleAuthError as error:
            raise _read_error(account, error) from error
        return getattr(credentials, "_subject", None) or getattr(credentials, "service_account_email", None)

    def live_amounts(self, account: str, budgets: Sequence[str]) -> dict[str, Decimal]:
        amounts: dict[str, Decimal] = {}
        for start in range(0, len(budgets), NAMES_PER_QUERY):
            query = sql.render_gaql("budget_amounts.gaql", budgets=budgets[start : start + NAMES_PER_QUERY])
            for row in self.hook.rows(account, query, timeout=60):
                amounts[row.campaign_budget.resource_name] = from_micros(row.campaign_budget.amount_micros)
        return amounts

    def set_budgets(
        self, account: str, amounts: Mapping[str, Decimal], *, validate_only: bool = False
    ) -> dict[str, Outcome]:
        micros: dict[str, int] = {}
        outcomes: dict[str, Outcome] = {}
        for budget, amount in amounts.items():
            try:
                micros[budget] = to_micros(amount, self.billable_unit)
            except ValueError as error:
                outcomes[budget] = Outcome(False, "invalid_amount", f"{error}; it was not sent")
        if micros:
            outcomes |= self.hook.set_amounts(account, micros, validate_only=validate_only)
        return outcomes


def _by_others(history: ChangeHistory) -> dict[str, tuple[str, str]]:
    """Resource name of a budget or a campaign -> (when, who) of its last change that we did not make."""
    changes: dict[str, tuple[str, str]] = {}
    for change in history.changes:
        if not change.is_ours:
            changes.setdefault(change.resource, (change.at.isoformat(sep=" ", timespec="seconds"), change.by))
    return changes


def _amount(event: Any, resource: Any) -> Decimal | None:
    if "amount_micros" not in event.changed_fields.paths and _enum_name(event, "resource_change_operation") != "CREATE":
        return None
    micros = resource.campaign_budget.amount_micros
    return from_micros(micros) if micros else None


def _facts(row: Any) -> campaigns.Facts:
    campaign, budget = row.campaign, row.campaign_budget
    return campaigns.Facts(
        status=_enum_name(campaign, "status"),
        primary_status=_enum_name(campaign, "primary_status"),
        reasons=_enum_names(campaign, "primary_status_reasons"),
        bidding_status=_enum_name(campaign, "bidding_strategy_system_status"),
        bidding_type=_enum_name(campaign, "bidding_strategy_type"),
        channel_type=_enum_name(campaign, "advertising_channel_type"),
        experiment_type=_enum_name(campaign, "experiment_type"),
        account_status=_enum_name(row.customer, "status"),
        starts=_moment(campaign.start_date_time),
        ends=_moment(campaign.end_date_time),
        period=_enum_name(budget, "period"),
        budget_type=_enum_name(budget, "type_" if "type_" in budget.DESCRIPTOR.fields_by_name else "type"),
        delivery=_enum_name(budget, "delivery_method"),
        amount_micros=budget.amount_micros,
        total_micros=budget.total_amount_micros,
    )


def _given(message: Any, field: str) -> Any:
    """A field that may be left out; None where it is."""
    return getattr(message, field) if message.HasField(field) else None


def _moment(account_time: str) -> datetime | None:
    """The API gives the account's local time without a zone; accounts of another zone are never budgeted. None where it
    gives none, or no time.
    """
    try:
        moment = datetime.fromisoformat(account_time).replace(tzinfo=None)
        return moment if moment.year > 1 else None  # the first year has no day before it
    except ValueError:
        return None


def _micros(amount: float) -> float:
    """An amount with its fraction as whole micros; what is no number stays what it is."""
    return round(amount * 1_000_000) if math.isfinite(amount) else amount


def _moves_money(event: Any) -> bool:
    if _enum_name(event, "resource_change_operation") == "CREATE":
        return True
    fields = MONEY_FIELDS.get(_enum_name(event, "change_resource_type"), set())
    return not fields.isdisjoint(event.changed_fields.paths)


def _enum_name(message: Any, field: str) -> str:
    return _name_of(message.DESCRIPTOR.fields_by_name[field].enum_type, getattr(message, field))


def _enum_names(message: Any, field: str) -> tuple[str, ...]:
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return tuple(_name_of(enum, number) for number in getattr(message, field))


def _name_of(enum: Any, number: int) -> str:
    """A number that this version of the API has no name for is unknown."""
    value = enum.values_by_number.get(number)
    return str(value.name) if value else campaigns.UNKNOWN


CHANNEL = GoogleAds
