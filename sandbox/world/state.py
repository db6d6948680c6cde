"""What the sandbox remembers: the budget history, queued faults and how far its today was moved.

Kept in one SQLite file with durable commits: a change is on disk before its RPC answers, so that a killed sandbox
comes back telling the truth. Everything else is computed from it by the world.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from sandbox.world import catalogue
from sandbox.world.budget_history import BudgetHistory
from sandbox.world.fault_queue import FaultQueue
from sandbox.world.passing import move_back
from sandbox.world.records import SCHEMA, AccountDays, BudgetChange, CampaignState, Edit
from sandbox.world.tokens import Tokens
from sandbox.world.world import DAYS_OF_HISTORY, Day, World

AMSTERDAM = ZoneInfo(catalogue.TIME_ZONE)
_REMEMBERED = 4  # whole reports, each of which is asked for page by page

_Report = TypeVar("_Report")


class State:
    """The world as it stands now. Every method is safe to call from several threads."""

    def __init__(self, folder: Path, seed: int | None = None, segments: int | None = None) -> None:
        """Open or make the state in ``folder``; raises ValueError when it holds another world than asked for."""
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.calls: deque[dict[str, Any]] = deque(maxlen=20_000)
        self._days: dict[date, Day] = {}
        self._reports: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._making = threading.Lock()
        self._db = sqlite3.connect(folder / "state.sqlite", check_same_thread=False)
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = full;" + SCHEMA)
        self.faults, self.tokens = FaultQueue(self._db, self.lock), Tokens()

        meta = dict(self._db.execute("select key, value from meta"))
        is_new = not meta
        if is_new:
            meta = {
                "seed": str(1 if seed is None else seed),
                "segments": str(segments or catalogue.DEFAULT_SEGMENTS),
                "first_morning": datetime.now(AMSTERDAM).date().isoformat(),
                "offset_days": "0",
            }
        for name, asked in (("seed", seed), ("segments", segments)):
            if asked is not None and str(asked) != meta[name]:
                raise ValueError(
                    f"{folder} holds a world with {name} {meta[name]}, and {asked} was asked for. Nothing was changed; "
                    f"unset SANDBOX_{name.upper()}, or remove the folder to start a new world."
                )
        self._offset = timedelta(days=int(meta["offset_days"]))
        self.catalogue = catalogue.build(int(meta["segments"]), int(meta["seed"]))
        self._budgets = BudgetHistory(self._db, self.catalogue)
        self._begin(meta)
        if is_new:
            self._budgets.begin(self.first_morning, meta)
        self._budgets.read()
        self._read_states()
        self._read_edits()

    def close(self) -> None:
        with self.lock:
            self._db.close()

    def _begin(self, meta: Mapping[str, str]) -> None:
        """When the world began, by today's calendar, and the world of that beginning."""
        self.first_morning = date.fromisoformat(meta["first_morning"])
        self.days_passed = int(meta.get("days_passed", "0"))
        self.first_day = self.first_morning - timedelta(days=DAYS_OF_HISTORY)
        self.world = World(self.catalogue, int(meta["seed"]), self.first_day, self.days_passed)

    # -- time -----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The sandbox's own clock, in Amsterdam time."""
        return datetime.now(AMSTERDAM) + self._offset

    def today(self) -> date:
        return self.now().date()

    def step(self, days: int) -> date:
        """Move today ahead by that many days; gives the new today."""
        if days < 1:
            raise ValueError(f"Cannot step by {days} days: time only moves ahead. Nothing was changed.")
        with self.lock, self._db:
            self._offset += timedelta(days=days)
            self._db.execute("update meta set value = ? where key = 'offset_days'", [str(self._offset.days)])
            return self.today()

    def pass_days(self, days_passed: int) -> int:
        """Let days pass while today stays: what happened lies further back, and what comes is a new yesterday.

        ``days_passed``: of this world in all, so that a call that is repeated moves nothing twice; gives it back.
        Raises ValueError for fewer than have passed.
        """
        with self.lock:
            if days_passed < self.days_passed:
                raise ValueError(f"{self.days_passed} days have passed, and none comes back. Nothing was changed.")
            with self._db:
                self._move_to(days_passed)
            self._read_again()
            return self.days_passed

    def _move_to(self, days_passed: int) -> None:
        move_back(self._db, days_passed - self.days_passed)
        self._db.execute("insert or replace into meta values ('days_passed', ?)", [str(days_passed)])

    def _read_again(self) -> None:
        self._begin(dict(self._db.execute("select key, value from meta")))
        self._days.clear()
        self._reports = OrderedDict()  # one that is being made belongs to the old world
        self._budgets.read()
        self._read_states()
        self._read_edits()

    def reset(self) -> None:
        """Back to the first morning: all changes, steps, passed days, faults and recorded calls are forgotten."""
        with self.lock:
            with self._db:
                self._db.execute("delete from budget_changes where at >= ?", [self.first_morning.isoformat()])
                self._db.execute("update meta set value = '0' where key = 'offset_days'")
                self._db.execute("delete from faults")
                self._db.execute("delete from campaign_states")
                self._db.execute("delete from account_days")
                self._db.execute("delete from edits")
                self._move_to(0)
            self._offset = timedelta()
            self.calls.clear()
            self._read_again()

    def dates(self, first: date, last: date) -> list[date]:
        """The dates in [first, last] that the world has lived through; today is not over yet."""
        first, last = max(first, self.first_day), min(last, self.today() - timedelta(days=1))
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def days(self, first: date, last: date) -> list[Day]:
        """What happened on those dates."""
        return [self.day(day) for day in self.dates(first, last)]

    def day(self, day: date) -> Day:
        """A day that is over: it never changes again, because a budget can only be changed today."""
        with self.lock:
            if day not in self._days:
                self._days[day] = self.world.day(day, self.budgets_on(day), *self._campaigns_on(day))
            return self._days[day]

    def report(self, *key: object, make: Callable[[], _Report]) -> _Report:
        """What ``make`` gives, made once for all pages of a report; ``key`` is everything that was asked but the page.

        It may only hang on days that are over and on today.
        """
        full = (self.today(), *key)
        with self._making:  # not `lock`: everything else goes on meanwhile
            reports = self._reports
            if full not in reports:
                reports[full] = make()
                while len(reports) > _REMEMBERED:
                    reports.popitem(last=False)
            reports.move_to_end(full)
            found: _Report = reports[full]
            return found

    # -- budgets --------------------------------------------------------------------------------------------------

    @property
    def amounts(self) -> Mapping[str, int]:
        """Micros in force now, by resource name."""
        return self._budgets.amounts

    def budgets_on(self, day: date) -> np.ndarray:
        """EUR in force on a day, one per budget: the last amount set on or before it."""
        with self.lock:
            return self._budgets.on(day)

    def set_budgets(self, amounts: Mapping[str, int], user: str, client_type: str) -> list[BudgetChange]:
        """Set absolute amounts in micros, all in one durable transaction; amounts already in force leave no trace."""
        with self.lock:
            return self._budgets.set(amounts, self.now(), user, client_type)

    def changes(self, since: date) -> list[BudgetChange]:
        """Edits on or after a day, oldest first; the making of a budget is not one."""
        with self.lock:
            return self._budgets.edits(since)

    # -- campaigns, budgets and customers as they were edited --------------------------------------------------------

    def edit(
        self, resource_name: str, fields: dict[str, Any], user: str | None, days_ago: int = 0, operation: str = "UPDATE"
    ) -> None:
        """Set fields of a resource by its name; ``user`` None: Google works them out, and no change event shows it.

        ``days_ago`` moves the edit back: what the campaign did on the days since then is made anew.
        """
        known = {campaign.resource_name for campaign in self.catalogue.campaigns} | self._budgets.positions.keys()
        known |= {f"customers/{customer}" for customer in catalogue.CUSTOMERS}
        if resource_name not in known:
            raise KeyError(f"No campaign, budget or customer {resource_name}. Nothing was changed.")
        if (budget := fields.get("campaign_budget")) and budget not in self._budgets.positions:
            raise KeyError(f"No such budget: {budget}. Nothing was changed; GET /budgets lists them.")
        at = self.now() - timedelta(days=days_ago)
        with self.lock:
            with self._db:
                self._db.execute(
                    "insert into edits (resource_name, at, fields, user_email, operation) values (?, ?, ?, ?, ?)",
                    [resource_name, at.isoformat(), json.dumps(fields), user, operation],
                )
            self._read_edits()
            self._days = {day: made for day, made in self._days.items() if day < at.date()}
            self._reports = OrderedDict()

    def edits(self, since: date = date.min) -> list[Edit]:
        """Edits on or after a day, in the order in which they were made."""
        with self.lock:
            return [edit for edit in self._made if edit.at.date() >= since]

    def edited(self, resource_name: str) -> dict[str, Any]:
        """The fields of a resource that were edited, as they are now."""
        return self._edited.get(resource_name, {})

    def budget_of(self, campaign: int) -> int:
        """The position of the budget that a campaign pays from now."""
        of = self.catalogue.campaigns[campaign]
        name = self.edited(of.resource_name).get("campaign_budget")
        return self._budgets.positions[name] if name else of.budget

    def campaigns_of_budget(self, budget: int) -> list[int]:
        """The positions of the campaigns that pay from a budget now."""
        users = self.catalogue.campaigns_of_budget.get(budget, [])
        if not self._moved:
            return users
        return sorted(n for n in {*users, *self._moved} if self.budget_of(n) == budget)

    def _read_edits(self) -> None:
        rows = self._db.execute("select * from edits order by at, id").fetchall()
        self._made = [
            Edit(i, name, datetime.fromisoformat(at).astimezone(AMSTERDAM), json.loads(fields), user, operation)
            for i, name, at, fields, user, operation in rows
        ]
        edited: dict[str, dict[str, Any]] = {}
        for edit in self._made:
            edited[edit.resource_name] = edited.get(edit.resource_name, {}) | edit.fields
        self._edited = edited
        # The campaigns that were pointed at another budget.
        self._moved = [
            n for n, c in enumerate(self.catalogue.campaigns) if "campaign_budget" in edited.get(c.resource_name, {})
        ]

    def _campaigns_on(self, day: date) -> tuple[np.ndarray, np.ndarray] | tuple[()]:
        """Whether each campaign ran on a day, and the position of the budget that it paid from; nothing where no
        campaign was edited, paused or removed, and no account rests.
        """
        if not (self._made or self._campaign_states or self._account_days):
            return ()
        campaigns = self.catalogue.campaigns
        running = ~self._off(day)
        budget = np.array([campaign.budget for campaign in campaigns], dtype=np.int64)
        position = {campaign.resource_name: n for n, campaign in enumerate(campaigns)}
        status: dict[int, dict[str, Any]] = {}
        for edit in self._made:
            n = position.get(edit.resource_name)
            if n is not None and edit.at.date() <= day:
                status.setdefault(n, {}).update(edit.fields)
        for n, fields in status.items():
            first, last = fields.get("start_date_time") or "", fields.get("end_date_time") or "9999"
            running[n] &= (
                fields.get("status", "ENABLED") == "ENABLED"
                and fields.get("experiment_type") != "DRAFT"
                and first[:10] <= str(day) <= last[:10]
            )
            if "campaign_budget" in fields:
                budget[n] = self._budgets.positions[fields["campaign_budget"]]
        return running, budget

    # -- campaigns and accounts -----------------------------------------------------------------------------------

    def campaign_state(self, campaign: int) -> CampaignState | None:
        """What became of a campaign; None while it is as the catalogue made it."""
        return self._campaign_states.get(campaign)

    def account_days(self, customer: str) -> AccountDays:
        return self._account_days.get(customer, AccountDays())

    def set_campaign(self, campaign: int, state: CampaignState) -> None:
        """As a person does it in Google's own pages; ``since`` may lie in the past, and what happened since follows."""
        if campaign not in {c.id for c in self.catalogue.campaigns} or state.status not in ("PAUSED", "REMOVED"):
            raise ValueError(f"There is no campaign {campaign} that can become {state.status}. Nothing was changed.")
        with self.lock, self._db:
            self._db.execute(
                "insert or replace into campaign_states values (?, ?, ?, ?)",
                [campaign, state.status, str(state.since), state.successor],
            )
            self._read_states()

    def set_account(self, customer: str, days: AccountDays) -> None:
        if customer not in {*catalogue.CUSTOMERS, catalogue.SITE_URL, catalogue.GA4_PROPERTY}:
            raise ValueError(f"There is no account {customer}. Nothing was changed.")
        with self.lock, self._db:
            self._db.execute(
                "insert or replace into account_days values (?, ?, ?)",
                [customer, json.dumps(sorted(days.rests_on)), json.dumps(sorted(map(str, days.hidden)))],
            )
            self._read_states()

    def _read_states(self) -> None:
        self._campaign_states = {
            campaign: CampaignState(status, date.fromisoformat(since), successor)
            for campaign, status, since, successor in self._db.execute("select * from campaign_states")
        }
        self._account_days = {
            customer: AccountDays(
                frozenset(json.loads(rests_on)), frozenset(map(date.fromisoformat, json.loads(hidden)))
            )
            for customer, rests_on, hidden in self._db.execute("select * from account_days")
        }
        self._days.clear()
        self._reports = OrderedDict()

    def _off(self, day: date) -> np.ndarray:
        """Which campaigns do not serve on a day."""
        return np.array(
            [
                self.world.weekday(day) in self.account_days(campaign.customer).rests_on
                or (
                    (state := self.campaign_state(campaign.id)) is not None
                    and not state.successor
                    and day >= state.since
                )
                for campaign in self.catalogue.campaigns
            ]
        )
