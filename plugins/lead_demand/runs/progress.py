"""A window of days worked through chunk by chunk: a retry goes on after the last chunk that was done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lead_demand import text
from lead_demand.text import plain

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from lead_demand.runs.day import Window

log = logging.getLogger("lead_demand")


class Store(Protocol):
    """What is asked of Airflow's `task_state_store`: values of one task instance of one run, kept between its tries."""

    def get(self, key: str, default: object = None) -> object: ...

    def set(self, key: str, value: object) -> None: ...


class Done(NamedTuple):
    """What was done for one chunk: numbers by what they count, and lines that explain them."""

    counts: Mapping[str, int]
    lines: Sequence[str] = ()


def in_chunks(
    chunks: Sequence[Window],
    work: Callable[[Window], Done],
    store: Store,
    task_instance: RuntimeTaskInstanceProtocol,
    subject: str = "",
) -> None:
    """Do `work` for each chunk that no earlier try has done, log how far it came after each, and all in a table.

    Only a retry goes on: a new run has a store of its own, and a task that a person cleared begins again, because
    Airflow then raises its `max_tries`. A process that dies between a chunk and its mark repeats that one chunk.

    :param chunks: of one window, in order.
    :param work: does one chunk and commits it.
    :param subject: what the chunks are about, where one task works through several windows.
    """
    key = f"done {subject}".strip()
    mark = {"max_tries": task_instance.max_tries}
    found = store.get(key) if len(chunks) > 1 else None
    done_before = str(found["last_day"]) if isinstance(found, dict) and mark.items() <= found.items() else ""
    total, done = sum(chunk.days for chunk in chunks), 0
    columns: list[str] = []
    rows: list[list[object]] = []
    for chunk in chunks:
        done += chunk.days
        if chunk.last.isoformat() <= done_before:
            continue
        if done_before:
            log.info("%sdays up to %s were done by an earlier try.", f"{subject}: " if subject else "", done_before)
            done_before = ""
        worked = work(chunk)
        said = ", ".join(f"{number} {what}" for what, number in worked.counts.items())
        span = str(chunk.first) if chunk.days == 1 else f"{chunk.first} to {chunk.last}"
        log.info("%s%s: %s of %s days, %s", f"{subject}, " if subject else "", span, done, total, said)
        for line in worked.lines:
            log.info("%s", plain(line, keep_blanks=True))
        columns = ["first", "last", "days", *worked.counts]
        rows.append([str(chunk.first), str(chunk.last), chunk.days, *worked.counts.values()])
        if len(chunks) > 1:
            store.set(key, mark | {"last_day": chunk.last.isoformat()})
    for line in text.table(columns, rows) if rows else ():
        log.info("%s", line)
