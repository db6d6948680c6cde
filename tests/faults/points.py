"""The named points of the budget protocol at which a case may strike.

Production code has no hooks: the functions of the protocol, the statements they run and the channel they speak to are
wrapped here, from outside. `install` does it for good (the scheduler of the kill cases, before it forks its workers)
or with a monkeypatch (cases in the test's own process). Each time execution passes a point, `reach(point, step)` is
called; `step` is the task that is under way: decrease, increase, settle or plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

CHANGES = {
    "before_claim": "the task has begun; nothing is claimed",
    "claim_written": "a claim is inserted and not committed",
    "claims_committed": "every claim of the direction is committed",
    "before_compare": "the account's open changes are known; its budgets are not read",
    "read_not_stored": "the live budgets are read; nothing of it is stored",
    "compared": "the live budgets are as decided",
    "switches_read": "the settings allow the change",
    "before_send": "the next line sends the change",
    "sending": "the change is with Google, and Google has not answered",
    "answered": "Google has answered; nobody has looked at the answer",
    "before_close": "the outcome is known and not written",
    "close_written": "rows are closed and not committed",
    "closed": "what one answer said is closed; other rows may be open",
    "account_finished": "one account is done; the next is not begun",
    "before_plans": "every row is closed; the plans still say planned",
    "plans_written": "the plans are updated and not committed",
    "at_the_end": "everything is committed; Airflow does not know it",
}
SETTLING = {
    "before_read": "open changes of an earlier run are known; nothing is read back",
    **{
        name: CHANGES[name]
        for name in (
            "read_not_stored",
            "before_close",
            "close_written",
            "closed",
            "before_plans",
            "plans_written",
            "at_the_end",
        )
    },
}
PLANNING = {
    "before_decisions": "the decisions are taken; nothing of them is written",
    "before_plans": "the decisions are written and not committed; the plans are not",
    "decisions_written": "decisions and plans are written and not committed",
    "at_the_end": "decisions and plans are committed; Airflow does not know it",
}
POINTS: dict[str, dict[str, str]] = {
    "decrease": CHANGES,
    "increase": CHANGES,
    "settle": SETTLING,
    "plan": PLANNING,
}
# At these no transaction or connection of the protocol is open that could be lost, or that a lock could stop.
WITHOUT_CONNECTION = {"at_the_end"}

# The protocol's statements, by the point before and the point after each.
_STATEMENTS = {
    "lead_budgets/insert_channel_orchestration_log.sql": (None, "claim_written"),
    "lead_budgets/update_channel_orchestration_log.sql": (None, "close_written"),
    "lead_budgets/update_lead_segment_plans_settled.sql": ("before_plans", "plans_written"),
    "lead_budgets/insert_budget_decisions.sql": ("before_decisions", None),
    "lead_budgets/upsert_lead_segment_plans.sql": ("before_plans", "decisions_written"),
}

Reach = Callable[[str, str], None]
SetAttribute = Callable[[Any, str, Any], None]


def install(reach: Reach, set_attribute: SetAttribute = setattr) -> None:
    """Wrap the protocol so that `reach` hears of every point."""
    from lead_demand import database
    from lead_demand.budgets import decisions, planning, protocol, settling
    from lead_demand.budgets.protocol import BudgetProtocol
    from lead_demand.channels.google_ads.channel import GoogleAds
    from lead_demand.database import sql

    step: list[str] = []  # the task under way; empty outside of one
    inside: list[str] = []  # the wrapped functions that are running

    def passing(point: str) -> None:
        if step:
            reach(point, step[-1])

    @contextmanager
    def running(stack: list[str], name: str) -> Iterator[None]:
        stack.append(name)
        try:
            yield
        finally:
            stack.pop()

    def wrap(
        owner: Any,
        name: str,
        before: str | None = None,
        after: str | None = None,
        within: str = "",
        only: Callable[..., bool] = lambda *_, **__: True,
    ) -> None:
        real = getattr(owner, name)

        @wraps(real)
        def wrapped(*args: Any, **options: Any) -> Any:
            tell = (not within or within in inside) and only(*args, **options)
            if before and tell:
                passing(before)
            with running(inside, name):
                result = real(*args, **options)
            if after and tell:
                passing(after)
            return result

        set_attribute(owner, name, wrapped)

    def task(owner: Any, name: str, step_of: Callable[..., str]) -> None:
        real = getattr(owner, name)

        @wraps(real)
        def wrapped(*args: Any, **options: Any) -> Any:
            with running(step, step_of(*args)):
                result = real(*args, **options)
                passing("at_the_end")
            return result

        set_attribute(owner, name, wrapped)

    task(decisions, "apply_changes", lambda action, *_: action)
    task(settling, "settle_open_changes", lambda *_: "settle")
    task(planning, "plan", lambda *_: "plan")
    wrap(BudgetProtocol, "claim", "before_claim", "claims_committed")
    wrap(BudgetProtocol, "compare", "before_compare", "compared")
    wrap(BudgetProtocol, "live", "before_read")
    wrap(BudgetProtocol, "apply")
    wrap(protocol, "read_switches", None, "switches_read", within="apply")
    wrap(BudgetProtocol, "settle", "before_close", "closed", only=lambda _, outcomes: bool(outcomes))
    wrap(BudgetProtocol, "_finish_account", None, "account_finished")
    wrap(GoogleAds, "live_amounts", None, "read_not_stored")
    wrap(GoogleAds, "set_budgets", "sending", "answered")
    wrap(GoogleAds, "set_budgets", "before_send")  # outermost, so it is reached before `sending`

    real_connect = database.connect

    @wraps(real_connect)
    def connect() -> Any:
        connection = real_connect()
        real_execute = connection.execute

        def execute(query: Any, *args: Any, **options: Any) -> Any:
            name = next((name for name in _STATEMENTS if step and query == sql.render(name)), None)
            before, after = _STATEMENTS[name] if name else (None, None)
            if before:
                passing(before)
            result = real_execute(query, *args, **options)
            if after:
                passing(after)
            return result

        connection.execute = execute
        return connection

    set_attribute(database, "connect", connect)
