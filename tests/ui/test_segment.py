"""The answers behind one segment, the log and the health of the data."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest

from lead_demand.planner.finding_codes import FindingCode
from lead_demand.planner.reasons import Reason
from lead_demand.planner.refusals import Refusal
from lead_demand.runs.day import today
from tests.fixtures.postgres import LeadsDatabase
from tests.ui.conftest import Served
from tests.ui.story import (
    APPLIED,
    BLOCKED,
    DAYS,
    FAILED,
    FORMULA,
    MARKER,
    REVERTED,
    SCRIPT,
    SEGMENTS,
    TWO_BUDGETS,
    WAITING,
    at,
)


def of_kind(served: Served, code: str, kind: str) -> list[dict[str, Any]]:
    return [event for event in served.json(f"api/segment/{code}")["events"] if event["kind"] == kind]


def log(served: Served, **params: Any) -> list[dict[str, Any]]:
    """Every entry of the log, page after page."""
    found, after, total = [], None, None
    while True:
        page = served.json("api/log", **params, **({"after": after} if after else {}))
        assert len(page["rows"]) <= 50 and total in (None, page["total"])
        found, after, total = found + page["rows"], page["next"], page["total"]
        if after is None:
            break
    assert len(found) == len({row["id"] for row in found}) == total
    return found


def test_a_segment_is_told_day_by_day_and_what_is_not_known_is_null(served: Served) -> None:
    answer = served.json(f"api/segment/{APPLIED}", days=30)
    days = [dict(zip(answer["columns"], day, strict=True)) for day in answer["days"]]
    assert [day["date"] for day in days] == [(today() - timedelta(back)).isoformat() for back in range(30, 0, -1)]
    known = {"leads": 4, "accepted": 2, "rejected": 1, "pending": 1, "spend": 40.25, "budget": 50, "target": 8}
    assert {name: days[-1][name] for name in known} == known and days[-1]["final"] is False
    assert set(days[0].values()) == {days[0]["date"], None}


def test_a_change_carries_why_who_and_what_was_promised(served: Served) -> None:
    (change,) = of_kind(served, APPLIED, "plan")
    told = {"old": 50, "new": 60, "status": "success", "who": "anke@leads.example", "after": 5.5, "may_revert": True}
    assert {name: change[name] for name in told} == told
    assert change["reasons"] == ["step_limit", "below_capacity"] and change["run_id"] == "run-0"


def test_edits_limits_and_records_of_people_are_events_with_who_and_from_what_to_what(served: Served) -> None:
    (edit,) = of_kind(served, APPLIED, "edit")
    assert (edit["who"], edit["old"], edit["new"]) == ("marketing@leads.example", 45, 50)
    cap, automated = of_kind(served, APPLIED, "limit")
    assert (automated["column"], automated["old"], automated["new"]) == ("is_automated", None, "true") or (
        cap["column"],
        cap["old"],
        cap["new"],
    ) == ("is_automated", None, "true")
    assert {cap["who"], automated["who"]} == {"dirk@leads.example"}
    (record,) = of_kind(served, APPLIED, "manual")
    assert (record["who"], record["channel"]) == ("els@leads.example", "seo")
    assert len(of_kind(served, APPLIED, "hold")) == DAYS


def test_a_revert_and_the_change_that_it_reverted_name_each_other(served: Served) -> None:
    (change,) = of_kind(served, REVERTED, "plan")
    (revert,) = of_kind(served, REVERTED, "revert")
    assert revert["reverts"] == change["log_id"] and (revert["old"], revert["new"]) == (60, 50)
    assert (change["reverted_by"], change["may_revert"]) == ("cees@leads.example", False)
    assert datetime.fromisoformat(change["reverted_at"]) == at(today(), 6, 41)


def test_a_change_that_waits_is_an_event_though_nothing_was_claimed(served: Served) -> None:
    (waits,) = of_kind(served, WAITING, "plan")
    assert (waits["status"], waits["new"]) == ("waiting_approval", 150)


def test_the_limits_in_force_name_who_changed_each_last(served: Served) -> None:
    limits = served.json(f"api/segment/{APPLIED}")["limits"]
    assert (limits["floor"], limits["cap"], limits["cooldown_days"]) == (20, 200, 3)
    assert (limits["monthly_budget"], limits["branch_monthly_budget"]) == (2500.5, None)
    assert {name: by["changed_by"] for name, by in limits["changed"].items()} == {
        "cap": "dirk@leads.example",
        "is_automated": "dirk@leads.example",
    }
    assert limits["campaigns"][0]["name"] == SCRIPT, "a name is data; the browser shows it as text"


def test_leads_are_told_by_source(served: Served) -> None:
    (source,) = served.json(f"api/segment/{APPLIED}")["channels"]
    assert (source["channel"], source["generated"], source["spend"]) == ("seo", 4 * DAYS, None)


def test_a_segment_on_a_past_day_knows_nothing_of_what_came_later(served: Served) -> None:
    day = today() - timedelta(1)
    answer = served.json(f"api/segment/{REVERTED}", day=day.isoformat())
    assert answer["today"]["outcome"] == "held" and answer["now"]["day"] == day.isoformat()
    assert {event["kind"] for event in answer["events"]} == {"hold"}


def test_the_log_gives_each_entry_exactly_once(served: Served) -> None:
    kinds = [row["kind"] for row in log(served)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "plan": 10, "revert": 3, "manual": 1, "edit": 1, "limit": 4,
    }  # fmt: skip
    of_all = [row["column"] for row in log(served, kind="limit") if row["segment"] is None]
    assert of_all == ["monthly_budget dakdekker (NL)", "dry_run"], "a branch's limit says of which branch"
    holds = log(served, kind="hold")
    assert len(holds) == SEGMENTS * DAYS + SEGMENTS - 12
    order = [(row["day"], row["created_at"]) for row in holds]
    assert order == sorted(order, reverse=True)


@pytest.mark.parametrize(
    ("params", "segments"),
    [
        ({"kind": "revert"}, {"s05", "s16"}),
        ({"kind": "approval"}, {APPLIED, "s06", "s07"}),
        ({"kind": "failed"}, {"s03", "s04", "s06", "s07"}),
        ({"kind": "change", "q": "s00"}, {APPLIED}),
        ({"who": "cees@leads.example"}, {"s05", "s16"}),
        ({"who": "dirk@leads.example"}, {APPLIED, None}),
        ({"who": "planner", "status": "pending"}, {"s08"}),
        ({"kind": "edit", "q": "s01"}, set()),
        ({"to": (today() - timedelta(1)).isoformat()}, {APPLIED, None}),
        ({"from": today().isoformat(), "q": "S05"}, {"s05"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_the_log_is_filtered_by_what_and_who_and_when(
    served: Served, params: dict[str, str], segments: set[str | None]
) -> None:
    assert {row["segment"] for row in log(served, **params)} == segments


def test_everybody_who_did_something_is_named_beside_the_log(served: Served) -> None:
    names = {name.partition("@")[0] for name in served.json("api/log")["who"]}
    assert names == {"anke", "bert", "cees", "dirk", "els", "marketing"}


def test_a_revert_is_offered_for_the_newest_change_alone(served: Served) -> None:
    offered = {row["segment"] for row in log(served, kind="plan") if row["log_id"]}
    assert offered == {APPLIED, "s01"}


def test_the_csv_has_every_entry_once_and_no_cell_that_a_spreadsheet_calculates(served: Served) -> None:
    answer = served.get("api/log.csv")
    assert answer.content.startswith("\ufeff".encode()) and "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert [row["at"] for row in rows] == [row["at"] for row in log(served)]
    (failed,) = (row for row in rows if row["segment"] == FAILED)
    assert failed["error_detail"] == f"'{FORMULA}"
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@", "\t"))]
    holds = served.get("api/log.csv", params={"kind": "hold"}).content.decode("utf-8-sig")
    assert len(list(csv.reader(StringIO(holds, newline="")))) == len(log(served, kind="hold")) + 1


def test_the_log_names_the_campaign_where_the_segment_does_not_say_which_budget(served: Served) -> None:
    named = {row["budget_id"]: row["campaign"] for row in log(served, q=TWO_BUDGETS, kind="plan")}
    assert len(named) == 2 and len(set(named.values())) == 2 and all(named.values())
    assert {row["campaign"] for row in log(served, q=APPLIED)} == {None}


def test_the_health_of_the_data_names_what_is_off_with_numbers(served: Served) -> None:
    answer = served.json("api/health")
    off = [total for total in answer["sums"] if total["is_off"]]
    assert [(total["date"], total["difference"]) for total in off] == [((today() - timedelta(1)).isoformat(), -77.5)]
    assert answer["unmatched"] == [
        {"channel": "google_ads", "account": "1234567890", "spend": 125, "days": DAYS, "last_day": off[0]["date"]}
    ]
    assert [run["dag_run_id"] for run in answer["stat_runs"]] == [f"stats-{days}" for days in range(DAYS)]
    assert [run["dag_run_id"] for run in answer["budget_runs"]] == [f"run-{days}" for days in range(7)]
    assert answer["budget_runs"][0]["blocked"] == 6
    assert {row["date"] for row in answer["provisional"]} == {
        (today() - timedelta(days)).isoformat() for days in (1, 2, 3)
    }


def test_findings_come_worst_first_with_what_to_do_and_where(served: Served) -> None:
    answer = served.json("api/health")
    assert [finding["level"] for finding in answer["findings"]] == ["stop", "info"]
    stop = answer["findings"][0]
    assert (stop["segment"], stop["subject"], stop["remediation"]) == (BLOCKED[0], SCRIPT, "Enter the capacity.")
    assert answer["finding_counts"][0] == {"name": "capacity_unknown", "level": "stop", "n": 1}
    assert served.json(f"api/segment/{BLOCKED[0]}")["findings"] == [stop]


def test_every_code_is_explained_and_says_who_acts_on_it(served: Served) -> None:
    told = served.json("api/reasons")
    assert set(told) == {*map(str, Reason), *map(str, Refusal), *map(str, FindingCode)}
    assert all(said["meaning"] and said["who"] in ("marketing", "data_team", "on_call") for said in told.values())
    assert all(told[code]["todo"] for code in (*Reason, *Refusal))
    # What stands for a fact of the finding at hand is filled in there, and shown nowhere else.
    assert not [code for code, said in told.items() if "{" in said["todo"]]
    assert told[Reason.STALE_CHANNEL]["who"] == "on_call" and told[Reason.SUMS_DIFFER]["who"] == "data_team"


def test_no_answer_holds_anything_that_says_who_a_lead_is(served: Served, leads: LeadsDatabase) -> None:
    assert leads.value("select count(*) from leads where name like %s and email like %s", [f"{MARKER}%"] * 2) == 1
    paths = ["api/today", "api/today?day=" + (today() - timedelta(1)).isoformat(), "api/log", "api/log?kind=hold"]
    paths += ["api/log.csv", "api/health", "api/reasons", "page", *(f"api/segment/s{n:02}" for n in range(SEGMENTS))]
    for path in paths:
        answer = served.get(path)
        assert answer.status_code == 200 and MARKER not in answer.text, path


def test_an_answer_is_never_a_page_that_a_browser_would_run(served: Served) -> None:
    """What people and APIs named is in it as it is, so its type must not let a browser read it as HTML."""
    for path in ("api/today", f"api/segment/{APPLIED}", "api/log", "api/health"):
        answer = served.get(path)
        assert answer.headers["content-type"] == "application/json"
    assert SCRIPT in served.json("api/health")["findings"][0]["detail"]


def test_a_password_in_an_error_is_hidden(served: Served, leads: LeadsDatabase) -> None:
    from tests.fixtures.postgres import PIPELINE_PASSWORD

    leads.restore("update channel_orchestration_log set error_detail = %s where external_id = 'budget/s03'",
                  [f"login with {PIPELINE_PASSWORD} failed"])  # fmt: skip
    leads.restore("update pipeline_findings set detail = %s where name = 'x_info'", [f"It is {PIPELINE_PASSWORD}."])
    for path in ("api/log", "api/log.csv", "api/health"):
        text = served.get(path).text
        assert PIPELINE_PASSWORD not in text and "***" in text, path
