"""Every amount that a budget had, on disk with the rest of the state, and what follows from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from sandbox.world import catalogue
from sandbox.world.records import BudgetChange

AMSTERDAM = ZoneInfo(catalogue.TIME_ZONE)


class BudgetHistory:
    """The table ``budget_changes``, read once and kept in memory; the caller holds the state's lock."""

    def __init__(self, db: sqlite3.Connection, of: catalogue.Catalogue) -> None:
        self._db, self._catalogue = db, of
        self.positions = {budget.resource_name: n for n, budget in enumerate(of.budgets)}
        self.amounts: dict[str, int] = {}  # micros in force now, by resource name

    def begin(self, first_morning: date, meta: Mapping[str, str]) -> None:
        """The budgets' past, by people, at five past two in the afternoon; together with meta, or not at all."""
        edits = []
        for budget in self._catalogue.budgets:
            old: int | None = None
            for days_before, euros in budget.history:
                at = datetime.combine(first_morning - timedelta(days=days_before), time(14, 5), AMSTERDAM)
                edits.append((at, budget.resource_name, old, euros * 1_000_000))
                old = euros * 1_000_000
        edits.sort(key=lambda e: e[:2])
        user, client = catalogue.MARKETING_USER, "GOOGLE_ADS_WEB_CLIENT"
        self._insert(
            [BudgetChange(n, name, at, old, new, user, client) for n, (at, name, old, new) in enumerate(edits, 1)], meta
        )

    def read(self) -> None:
        """As the table has it now."""
        self._history: dict[str, list[BudgetChange]] = {name: [] for name in self.positions}
        self.amounts = {}
        self._set: list[tuple[int, int, int]] = []  # (position of the budget, day, micros), oldest first
        self._next_id = 1
        rows = self._db.execute("select * from budget_changes order by id")
        self._remember(
            BudgetChange(i, name, datetime.fromisoformat(at).astimezone(AMSTERDAM), old, new, user, client)
            for i, name, at, old, new, user, client in rows
        )

    def on(self, day: date) -> np.ndarray:
        """EUR in force on a day, one per budget: the last amount set on or before it."""
        budgets, days, micros = np.array(self._set, dtype=np.int64).T
        in_force = np.zeros(len(self._catalogue.budgets))
        is_made = days <= day.toordinal()
        in_force[budgets[is_made]] = micros[is_made]  # oldest first, so that the last one stays
        return in_force / 1_000_000

    def set(self, amounts: Mapping[str, int], at: datetime, user: str, client_type: str) -> list[BudgetChange]:
        """Set absolute amounts in micros, all in one durable transaction; amounts already in force leave no trace.

        Raises KeyError where a budget is not known.
        """
        unknown = amounts.keys() - self.amounts.keys()
        if unknown:
            raise KeyError(
                f"No such budget: {', '.join(sorted(unknown))}. Nothing was changed; GET /budgets lists them."
            )
        changes = [
            BudgetChange(self._next_id + n, name, at, self.amounts[name], micros, user, client_type)
            for n, (name, micros) in enumerate((k, v) for k, v in amounts.items() if v != self.amounts[k])
        ]
        self._insert(changes)
        self._remember(changes)
        return changes

    def edits(self, since: date) -> list[BudgetChange]:
        """Those on or after a day, oldest first; the making of a budget is not one."""
        found = (c for history in self._history.values() for c in history if c.at.date() >= since)
        return sorted((c for c in found if c.old_micros is not None), key=lambda c: c.id)

    def _insert(self, changes: Iterable[BudgetChange], meta: Mapping[str, str] | None = None) -> None:
        with self._db:
            self._db.executemany(
                "insert into budget_changes values (?, ?, ?, ?, ?, ?, ?)",
                [(c.id, c.resource_name, c.at.isoformat(), c.old_micros, c.new_micros, c.user_email, c.client_type)
                 for c in changes],
            )  # fmt: skip
            self._db.executemany("insert into meta values (?, ?)", (meta or {}).items())

    def _remember(self, changes: Iterable[BudgetChange]) -> None:
        for change in changes:
            self._history[change.resource_name].append(change)
            self.amounts[change.resource_name] = change.new_micros
            position = self.positions[change.resource_name]
            self._set.append((position, change.at.date().toordinal(), change.new_micros))
            self._next_id = change.id + 1
