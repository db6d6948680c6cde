"""`lead_stats` over many days: one range, a backfill day by day, and a retry all leave what one run would."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lead_demand import day
from lead_demand.day import Window
from lead_demand.progress import in_chunks
from tests.fixtures.morning import Morning

YESTERDAY = day.latest_whole_day()

# As if the last days had hardly been read: what the sources gave, what was made of it, and who got which lead. The
# capacity and the budget that were in force on a day cannot be read again on a later one.
FORGET = """
delete from channel_metrics where date >= %(first)s and channel not in ('partner_capacity', 'google_ads');
update channel_metrics set spend = 0.5, clicks = 0 where date >= %(first)s and channel = 'google_ads';
delete from lead_generation_stats where date >= %(first)s;
update lead_segment_plans set lead_gap = null where date >= %(first)s;
update leads set segment_id = null where created_at >= %(first)s::timestamp at time zone 'Europe/Amsterdam'
"""
# The first writing of a row of the second month fails once a channel, as a lost connection would.
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


def forget(morning: Morning, first: date) -> None:
    for statement in FORGET.split(";"):
        morning.db.fetch(statement, {"first": first})


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


def test_a_backfill_in_any_order_beside_a_scheduled_run_leaves_what_one_range_leaves(morning: Morning) -> None:
    first = YESTERDAY - timedelta(days=3)
    assert morning.run("lead_budgets").state == "success"
    untouchable = decided(morning)
    assert untouchable["log"] and untouchable["decisions"] and untouchable["plans"]
    morning.sandbox.clear()
    everything = restated(morning)

    forget(morning, first)
    assert restated(morning) != everything
    asked = {"from": str(first), "to": str(YESTERDAY)}
    assert morning.run("lead_stats", conf=asked).state == "success"
    assert restated(morning) == everything, "one range restores what the mornings had written"
    one_range = restated(morning)

    forget(morning, first)
    for days_ago in (2, 4, 1):
        run = morning.run("lead_stats", run_type="backfill", day=day.today() - timedelta(days=days_ago))
        assert (run.state, run.tasks["announce_day"]) == ("success", "skipped")
    assert restated(morning) != one_range, "a day is still missing"
    assert morning.run("lead_stats", run_type="scheduled", day=YESTERDAY).state == "success"
    assert morning.run("lead_stats", run_type="backfill", day=day.today() - timedelta(days=3)).state == "success"
    assert restated(morning) == one_range

    assert decided(morning) == untouchable
    assert morning.sandbox.calls("MutateCampaignBudgets") == []


def test_a_retry_goes_on_with_the_month_that_failed_and_a_new_run_begins_again(morning: Morning) -> None:
    last = YESTERDAY
    first = last - timedelta(days=44)
    months = Window(first, last).chunks()
    assert len(months) >= 2
    forget(morning, months[1].first)
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

    def work(chunk: Window) -> str:
        if chunk == chunks[2] and chunk not in worked:
            worked.append(chunk)
            raise ConnectionError
        worked.append(chunk)
        return "done"

    with pytest.raises(ConnectionError):
        in_chunks(chunks, work, task, task)  # type: ignore[arg-type]
    in_chunks(chunks, work, task, task)  # type: ignore[arg-type]
    assert worked == [*chunks[:3], *chunks[2:]]
    task.max_tries += 2
    worked[:] = [chunks[2]]
    in_chunks(chunks, work, task, task)  # type: ignore[arg-type]
    assert worked[1:] == chunks
