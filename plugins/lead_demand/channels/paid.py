"""What the budget protocol asks of a paid channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Literal, Protocol

from lead_demand.channels.contract import Channel

if TYPE_CHECKING:
    import pandas as pd

MICROS = Decimal(1_000_000)
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
        """Every campaign of an account with the budget in force; see `channel_budgets` for the columns.

        :param history: where changes by others are looked for; None = nowhere.
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
