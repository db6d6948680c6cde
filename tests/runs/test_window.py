"""`lead_stats` over many days: one range, a backfill day by day, and a retry all leave what one run would."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lead_demand.channels import registry
from lead_demand.runs import day
from lead_demand.runs.day import Window
from lead_demand.runs.progress import Done, in_chunks
from tests.fixtures.airflow import airflow_run
from tests.fixtures.morning import Morning
from tests.fixtures.real_airflow import RealAirflow

# As if some days had hardly been read: what the sources gave, what was made of it, and who got which lead. The
# capacity and the budget that were in force on a day cannot be read again on a later one.
FORGET = """
delete from channel_metrics
where date between %(first)s and %(last)s and channel not in ('partner_capacity', 'google_ads');
update channel_metrics set spend = 0.5, clicks = 0 where date between %(first)s and %(last)s and channel = 'google_ads';
delete from lead_generation_stats where date between %(first)s and %(last)s;
update lead_segment_plans set lead_gap = null where date between %(first)s and %(last)s;
update leads set segment_id = null
where (created_at at time zone 'Europe/Amsterdam')::date between %(first)s and %(last)s
"""
# The first writing of a row of the second month fails once per channel, as a lost connection would.
FAIL_ONCE = """
create sequence failures_of_leads;
create sequence failures_of_google_ads;
grant usage on sequence failures_of_leads, failures_of_google_ads to lead_pipeline;
create function fail_once() returns trigger language plpgsql as $$
begin
    if nextval('failures_of_' || new.channel) = 1 then
        raise exception 'the connection was lost' using errcode = 'connection_failure';
    end if;
    return new;
end $$;
create trigger fail_once before insert on channel_metrics for each row
when (new.channel in ('leads', 'google_ads') and new.date >= '{second}') execute function fail_once();
"""


def forget(morning: Morning, first: date, last: date) -> None:
    for statement in FORGET.split(";"):
        morning.db.fetch(statement, {"first": first, "last": last})


def restated(morning: Morning) -> dict[str, list[dict[str, Any]]]:
    """Every row that a restatement may write, without the times at which it was written."""
    plans = "select segment_id, date, lead_gap from lead_segment_plans order by segment_id, date"
    found = {"lead_gap": morning.db.fetch(plans)}
    for table in ("channel_metrics", "lead_generation_stats"):
        rows = morning.db.fetch(
            f"select * from {table} order by segment_id, date, to_jsonb({table}) ->> 'channel', "
            f"to_jsonb({table}) ->> 'account'"
        )
        found[table] = [{k: v for k, v in row.items() if k not in ("created_at", "updated_at")} for row in rows]
    return found


def decided(morning: Morning) -> dict[str, Any]:
    """What no restatement may touch: budgets, their log, decisions but for what came of them, plans but for the gap."""
    return {
        "budgets": morning.sandbox.budgets(),
        "log": morning.log(),
        "decisions": morning.db.fetch(
            "select to_jsonb(d) - '{realised_leads_7d,realised_leads_14d}'::text[] as row from budget_decisions as d "
            "order by id"
        ),
        "plans": morning.db.fetch(
            "select to_jsonb(p) - '{lead_gap,updated_at}'::text[] as row from lead_segment_plans as p "
            "order by segment_id, date"
        ),
    }


@pytest.mark.long
def test_airflows_own_backfill_beside_the_scheduled_run_leaves_what_one_range_leaves(
    real_airflow: RealAirflow, real_morning: Morning, dagbag: Any
) -> None:
    """Two days at once, the last one first; the scheduled run restates one of them too. Before 06:00, when none is due,
    it is a run by hand of the same days.
    """
    scheduled = registry.CHANNELS["leads"].restated_days
    yesterday = day.latest_whole_day()
    first, last = yesterday - timedelta(days=scheduled), yesterday - timedelta(days=scheduled - 1)
    assert airflow_run(dagbag, "lead_budgets").state == "success"
    untouchable = decided(real_morning)
    assert untouchable["log"] and untouchable["decisions"] and untouchable["plans"]
    real_morning.sandbox.clear()
    one_range = restated(real_morning)  # the history of this morning is that of one run with from and to

    forget(real_morning, first, last)
    assert restated(real_morning) != one_range
    # Made while the DAG is paused, so that all of them start together, however long the command takes.
    said = real_airflow.command(
        *("backfill", "create", "--dag-id", "lead_stats", "--from-date", str(first), "--to-date", str(last)),
        *("--run-backwards", "--max-active-runs", "2"),
    )
    with real_airflow.scheduling("lead_stats"):
        if not real_airflow.catch_up("lead_stats"):
            real_airflow.start("lead_stats")
        runs = real_airflow.wait_for_all("lead_stats")
    kinds = Counter(run["run_type"] for run in runs)
    assert kinds["backfill"] == 2 and kinds["scheduled"] + kinds["manual"] == 1, said
    assert {run["state"] for run in runs} == {"success"}
    assert max(run["start_date"] for run in runs) < min(run["end_date"] for run in runs), "all at once"
    assert restated(real_morning) == one_range
    assert decided(real_morning) == untouchable
    assert real_morning.sandbox.calls("MutateCampaignBudgets") == []


@pytest.mark.long
def test_a_retry_goes_on_with_the_month_that_failed_and_a_new_run_begins_again(morning: Morning) -> None:
    last = day.latest_whole_day()
    first = last - timedelta(days=44)
    months = Window(first, last).chunks()
    assert len(months) >= 2
    forget(morning, months[1].first, last)
    morning.db.fetch(FAIL_ONCE.format(second=months[1].first))
    expected = Counter({(channel, month.first): 1 for channel in ("leads", "1234567890") for month in months})

    for tries in (2, 1):
        run = morning.run("lead_stats", conf={"from": str(first), "to": str(last)})
        assert run.state == "success", run.tasks
        fetched = morning.db.fetch("select * from channel_fetches where dag_run_id = %s", [run.run_id])
        names = {"leads_db": "leads"}
        assert expected == Counter(
            (names.get(row["account"], row["account"]), row["date_from"])
            for row in fetched
            if row["channel"] in ("leads", "google_ads") and row["account"] != "2345678901"
        )
        assert run.tries["pull_channels.pull_leads"] == tries
    assert all(row["last_value"] > 1 for row in morning.db.fetch("select last_value from failures_of_leads"))


@pytest.mark.parametrize(
    ("first", "last", "most", "lengths"),
    [
        ("2026-01-15", "2026-02-14", 31, [31]),
        ("2026-01-15", "2026-03-31", 31, [17, 28, 31]),
        ("2025-12-01", "2026-01-01", 31, [31, 1]),
        ("2026-03-29", "2026-04-04", 3, [3, 3, 1]),
        ("2026-03-29", "2026-03-29", 1, [1]),
    ],
)
def test_a_long_window_is_cut_where_months_end_and_loses_no_day(
    first: str, last: str, most: int, lengths: list[int]
) -> None:
    window = Window(date.fromisoformat(first), date.fromisoformat(last))
    chunks = window.chunks(most)
    assert [chunk.days for chunk in chunks] == lengths
    assert (chunks[0].first, chunks[-1].last) == (window.first, window.last)
    assert all(one.last + timedelta(days=1) == other.first for one, other in pairwise(chunks))


class OneTask(dict[str, Any]):
    """What Airflow keeps of one task instance; clearing it raises max_tries and keeps the values."""

    max_tries = 3

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_a_task_that_a_person_cleared_begins_again() -> None:
    chunks = Window(date(2026, 1, 1), date(2026, 4, 30)).chunks()
    task, worked = OneTask(), list[Window]()

    def work(chunk: Window) -> Done:
        if chunk == chunks[2] and chunk not in worked:
            worked.append(chunk)
            raise ConnectionError
        worked.append(chunk)
        return Done({"rows": chunk.days})

    with pytest.raises(ConnectionError):
        in_chunks(chunks, work, task, task)  # type: ignore[arg-type]
    in_chunks(chunks, work, task, task)  # type: ignore[arg-type]
    assert worked == [*chunks[:3], *chunks[2:]]
    task.max_tries += 2
    worked[:] = [chunks[2]]
    in_chunks(chunks, work, task, task)  # type: ignore[arg-type]
    assert worked[1:] == chunks
