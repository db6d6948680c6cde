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


class PaidChannel(Channel, Protocol):
    """A channel whose daily budgets can be read and set. Amounts are Decimal in the account's currency."""

    billable_unit: Decimal

    def read_budgets(self, account: str, since_days: int = 0) -> pd.DataFrame:
        """Every campaign of an account with the budget in force; see `channel_budgets` for the columns.

        :param since_days: how far back changes by others are looked for; 0 = not at all.
        """
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
