"""One process at a time works on the budgets of a channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lead_demand import database
from lead_demand.database import sql


@contextmanager
def working_alone(channel: str) -> Iterator[None]:
    """Hold the channel's lock; another process waits here until the first is done.

    Two that plan at once would each spend the same room below the shared limits. Two that change budgets at once would
    send the same amount twice, which does no harm, but the refusal that one of them gets would close a claim that the
    other has just applied. The lock lives in a transaction of a connection of its own, so it ends with its process and
    needs no session of the pooler.
    """
    with database.connect() as guard:
        guard.execute(sql.render("lead_budgets/lock_channel.sql"), {"channel": channel})
        yield
