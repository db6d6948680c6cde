"""What the budget protocol asks of a paid channel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lead_demand.channels.contract import Channel
from lead_demand.channels.whole_numbers import LARGEST_COUNT, whole
from lead_demand.database.findings import LONGEST_DETAIL, LONGEST_SUBJECT, Finding
from lead_demand.planner.finding_codes import FindingCode, what_to_do
from lead_demand.planner.reasons import Reason
from lead_demand.text import plain

if TYPE_CHECKING:
    import pandas as pd

MICROS = Decimal(1_000_000)
# A daily budget beyond it is a mistake of a source; also, the budgets of a segment add up to what a column holds.
LARGEST_BUDGET_MICROS = 1_000_000 * 1_000_000
IMPOSSIBLE_BUDGET = FindingCode.IMPOSSIBLE_BUDGET
# Why the budget of a campaign that serves may be left alone: what `not_steerable` may say, and a finding of that code.
NOT_STEERABLE = (
    Reason.CAMPAIGN_EXPERIMENT,
    Reason.CAMPAIGN_TOTAL_BUDGET,
    Reason.CAMPAIGN_TYPE,
    Reason.BUDGET_TYPE,
    Reason.CAMPAIGN_NOT_ELIGIBLE,
    Reason.CAMPAIGN_STATE_UNKNOWN,
)
# What a channel may say beside a budget, and the range in which it can be true.
HINTS = {"search_impression_share": 1, "budget_lost_share": 1, "recommended_micros": LARGEST_BUDGET_MICROS}
# What a row of `read_budgets` says of one campaign. A channel without an answer gives None.
BUDGET_COLUMNS = (
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
)
# How far back changes by people are looked for: as far as Google keeps them. A longer cool-down cannot see further.
FOREIGN_CHANGE_DAYS = 29


@dataclass(frozen=True)
class Outcome:
    """What is known of one change.

    `applied`: True, it took effect; False, it certainly did not; None, nobody can say before the budget is read back.
    `retry_after`: seconds after which the same amount may be sent again, None where that would not help.
    """

    applied: bool | None
    error_code: str | None = None
    detail: str | None = None
    request_id: str | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        """What the API says goes into a log row and into messages."""
        for name in ("error_code", "detail", "request_id"):
            said = getattr(self, name)
            object.__setattr__(self, name, None if said is None else plain(said, LONGEST_DETAIL))

    @property
    def status(self) -> Literal["success", "failed", "pending"]:
        if self.applied is None or (self.applied is False and self.retry_after is not None):
            return "pending"
        return "success" if self.applied else "failed"


@dataclass(frozen=True)
class AccountChange:
    """One entry of an account's change history that moves money.

    :param resource: the budget, or the campaign, by the name that the channel gives it.
    :param by: who, as the channel shows it; `is_ours`: made with our own credentials and through the API.
    :param old_value: amounts in the account's currency; None where the entry has none, or names another field.
    """

    resource: str
    at: datetime
    by: str
    is_ours: bool
    old_value: Decimal | None
    new_value: Decimal | None


@dataclass(frozen=True)
class ChangeHistory:
    """An account's change history, newest first: everything from `since` to `until`, the moment it was read."""

    changes: tuple[AccountChange, ...]
    since: datetime
    until: datetime


class PaidChannel(Channel, Protocol):
    """A channel whose daily budgets can be read and set. Amounts are Decimal in the account's currency."""

    billable_unit: Decimal

    def read_budgets(self, account: str, history: ChangeHistory | None = None) -> pd.DataFrame:
        """Every campaign of an account that is not removed, with the budget in force: the columns of BUDGET_COLUMNS.

        Needed of each: `campaign_id`, `budget_id`, `currency`, `time_zone` (str), `amount_micros` (int, per day),
        `campaigns_on_budget` (int), `is_serving` (bool: it may cost something today). None is "not said" in all others:
        `is_budget_limited`, `is_learning` (bool), `not_serving` (a reason code: why it costs nothing),
        `not_steerable` (one of NOT_STEERABLE: why its budget is not changed), `not_steerable_detail`, `changed_at`,
        `changed_by` (str: the last change in `history` that we did not make), what HINTS names, and `unreadable` (str:
        what in the row could not be read).

        :param history: where changes by others are looked for; None = nowhere, and only what is in force is asked for.
        """
        ...

    def change_history(self, account: str, since_days: int) -> ChangeHistory:
        """Every change in `since_days` days of what the account may cost, whoever made it."""
        ...

    def removed_campaigns(self, account: str, campaigns: Sequence[str]) -> set[str]:
        """Which of these campaigns, none of which `read_budgets` gave, were in the account and have been removed. The
        others were never in it.
        """
        ...

    def foreign_changes(self, account: str, since_days: int) -> dict[str, tuple[str, str]]:
        """Budget -> (when, who) of its last change in `since_days` days that this pipeline did not make."""
        ...

    def own_changes(self, account: str, since_days: int) -> dict[str, list[tuple[datetime, Decimal]]]:
        """Budget -> (when, amount set) of every change in `since_days` days that this pipeline did make."""
        ...

    def live_amounts(self, account: str, budgets: Sequence[str]) -> dict[str, Decimal]:
        """The amount in force of each budget, read now. A budget that no longer exists is absent."""
        ...

    def set_budgets(
        self, account: str, amounts: Mapping[str, Decimal], *, validate_only: bool = False
    ) -> dict[str, Outcome]:
        """Send absolute amounts in one request, each operation on its own feet. Never raises for an answer of the
        API.
        """
        ...


def impossible_budgets(campaigns: pd.DataFrame) -> dict[str, str]:
    """Campaign -> what cannot be true of its row of `read_budgets`, in words. Nothing is decided on such a row."""
    found: dict[str, str] = {}
    columns = ["campaign_id", "budget_id", "amount_micros", "campaigns_on_budget", "currency", "time_zone"]
    unreadable = campaigns.get("unreadable", [None] * len(campaigns))
    rows: list[Any] = list(campaigns[columns].itertuples(index=False))
    for row, said in zip(rows, unreadable, strict=True):
        wrong = [said] if isinstance(said, str) else []
        if whole(row.amount_micros, 0, LARGEST_BUDGET_MICROS) is None:
            wrong.append(f"a daily budget of {_euros(row.amount_micros)}")
        if whole(row.campaigns_on_budget, 0, LARGEST_COUNT) is None:
            wrong.append(f"a budget of {row.campaigns_on_budget} campaigns")
        wrong += [
            f"no {name.replace('_', ' ')}"
            for name in ("campaign_id", "budget_id", "currency", "time_zone")
            if not plain(getattr(row, name) or "")
        ]
        too_long = [
            name for name in ("campaign_id", "budget_id") if len(str(getattr(row, name))) > LONGEST_SUBJECT // 2
        ]
        wrong += [f"a {name.replace('_', ' ')} of more than {LONGEST_SUBJECT // 2} characters" for name in too_long]
        if wrong:
            found[row.campaign_id] = ", ".join(wrong)
    return found


def without_impossible_hints(campaigns: pd.DataFrame) -> pd.DataFrame:
    """The rows of `read_budgets` with NULL for what cannot be true of HINTS: they are a check, so nothing is held for
    them. A column that the channel does not give stays absent.
    """
    import pandas as pd

    hints = {name: pd.to_numeric(campaigns[name], errors="coerce") for name in HINTS if name in campaigns}
    return campaigns.assign(**{name: said.where(said.between(0, HINTS[name])) for name, said in hints.items()})


def findings_of_budgets(
    channel: str, account: str, campaigns: pd.DataFrame, impossible: Mapping[str, str], segments: Mapping[str, str]
) -> list[Finding]:
    """One finding per campaign whose row was left out.

    :param segments: campaign -> segment_id, of those that have one.
    """
    names = dict(zip(campaigns["campaign_id"], campaigns["campaign_name"], strict=True))
    read = (whole(micros, -math.inf, math.inf) for micros in campaigns["amount_micros"])
    amounts = dict(
        zip(campaigns["campaign_id"], (None if micros is None else from_micros(micros) for micros in read), strict=True)
    )
    return [
        Finding(
            IMPOSSIBLE_BUDGET,
            "stop" if campaign in segments else "warn",
            f"{channel} {account}, campaign {campaign} ({plain(names[campaign] or 'no name', 120)}): {what}, which "
            "cannot be. Its row was left out and its budget was not touched; "
            + ("the segment is held, the others go on." if campaign in segments else "it belongs to no segment."),
            what_to_do(IMPOSSIBLE_BUDGET),
            segment_id=segments.get(campaign),
            channel=channel,
            subject=f"{account}/{campaign}",
            amount=amounts[campaign],
        )
        for campaign, what in impossible.items()
    ]


def _euros(micros: object) -> str:
    number = whole(micros, -math.inf, math.inf)
    return plain(micros, 60) if number is None else f"{from_micros(number):,.2f}"


def to_micros(amount: Decimal, unit: Decimal = Decimal("0.01")) -> int:
    """An amount as integer micros, rounded down to the billable unit. Raises ValueError unless finite and at
    least one unit.
    """
    if not amount.is_finite() or amount < unit:
        raise ValueError(f"{amount} is not an amount that can be set as a daily budget")
    return int((amount / unit).to_integral_value(ROUND_DOWN) * unit * MICROS)


def from_micros(micros: int) -> Decimal:
    """Integer micros as an exact amount."""
    return Decimal(micros) / MICROS
