"""The answer behind "today": figures, lists, pages, filters, past days."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lead_demand.runs.day import today
from tests.fixtures.postgres import LeadsDatabase
from tests.ui.conftest import Served
from tests.ui.story import (
    APPLIED,
    BLOCKED,
    BLOCKED_ALONE,
    DAYS,
    HOLDING,
    OUTCOMES,
    REVERTED,
    SEGMENTS,
    SWITCHED_OFF,
    TWO_BUDGETS,
    UNDECIDED,
    WAITING,
    at,
)


def lists(served: Served, **params: Any) -> dict[str, list[dict[str, Any]]]:
    """Every row of each list, page after page."""
    found: dict[str, list[dict[str, Any]]] = {}
    for group in served.json("api/today", **params)["groups"]:
        rows, cursor = group["rows"], group["next"]
        while cursor:
            (page,) = served.json("api/today", **params, group=group["name"], after=cursor)["groups"]
            assert len(page["rows"]) <= 25
            rows, cursor = rows + page["rows"], page["next"]
        found[group["name"]] = rows
    return found


def everything(served: Served, **params: Any) -> dict[str, dict[str, Any]]:
    found = [row for rows in lists(served, **params).values() for row in rows]
    assert len(found) == len({row["code"] for row in found}), "a row came twice"
    return {row["code"]: row for row in found}


def test_each_segment_is_shown_once_with_what_became_of_its_decision(served: Served) -> None:
    rows = everything(served, q="s")  # a search lists what a cluster stands for
    assert {code: row["outcome"] for code, row in rows.items()} == OUTCOMES


def test_what_a_person_has_to_do_comes_first_and_what_waits_for_an_answer_before_the_rest(served: Served) -> None:
    found = lists(served)
    person = [row["code"] for row in found["person"]]
    assert person[0] == WAITING
    assert set(person) == {WAITING, UNDECIDED, BLOCKED_ALONE, "s03", "s04", "s17"}
    assert {row["code"] for row in found["changed"]} == {APPLIED, "s01", REVERTED, TWO_BUDGETS, "s08"}
    assert SWITCHED_OFF in {row["code"] for row in found["held"]}, "nobody wants anything of it"


def test_the_same_repair_for_many_segments_is_one_line_and_its_reason_lists_them(served: Served) -> None:
    answer = served.json("api/today")
    (cluster,) = answer["clusters"]
    assert [each["code"] for each in cluster.pop("segments")] == BLOCKED
    assert cluster == {"reason": "missing_capacity", "n": 4, "budget": 200}
    (person,) = (group for group in answer["groups"] if group["name"] == "person")
    assert person["total"] == 10 and not set(BLOCKED) & {row["code"] for row in person["rows"]}
    filtered = served.json("api/today", reason="missing_capacity")
    assert filtered["clusters"] == [] and {
        row["code"] for row in lists(served, reason="missing_capacity")["person"]
    } == {*BLOCKED}


@pytest.mark.parametrize("sort", ["gap", "euros", "name"])
def test_pages_give_each_row_exactly_once_in_order(served: Served, leads: LeadsDatabase, sort: str) -> None:
    # More holds than one page holds, many of them equal in what they are sorted by.
    rows = lists(served, sort=sort)["held"]
    codes = [row["code"] for row in rows]
    assert len(codes) == len(set(codes)) == len(HOLDING) + 3
    key = {"gap": lambda row: -abs(row["expected"] - row["target"]), "euros": lambda row: -(row["stake"] or -1)}
    if sort in key:
        assert all(key[sort](one) <= key[sort](other) for one, other in pairwise(rows) if one["stake"] is not None)
    else:
        assert codes == sorted(codes)


def test_a_past_day_is_shown_by_its_date(served: Served) -> None:
    day = today() - timedelta(2)
    answer = served.json("api/today", day=day.isoformat())
    assert (answer["day"], answer["is_today"], answer["today"]) == (day.isoformat(), False, today().isoformat())
    assert answer["counts"]["decided"] == answer["counts"]["held"] == SEGMENTS
    assert answer["counts"]["other_findings"] == 0, "which were open then is not kept"
    assert answer["run"]["run_id"] == "run-2" and answer["stats_run"]["run_id"] == "stats-2"
    assert {row["outcome"] for row in everything(served, day=day.isoformat()).values()} == {"held"}


def test_a_day_before_everything_says_that_nothing_is_known(served: Served) -> None:
    answer = served.json("api/today", day=(today() - timedelta(DAYS + 40)).isoformat())
    assert answer["run"] is None and answer["stats_run"] is None
    assert answer["month"]["spend"] is None and answer["month"]["budgets_today"] is None
    assert answer["counts"]["decided"] == 0 and answer["counts"]["segments"] == SEGMENTS
    assert {row["outcome"] for row in answer["groups"][0]["rows"]} == {None}


def test_the_figures_speak_of_all_segments_whatever_is_filtered(served: Served) -> None:
    counts = served.json("api/today", branch="schilder", q="s00")["counts"]
    assert counts == served.json("api/today")["counts"]
    expected = {"segments": SEGMENTS, "decided": SEGMENTS - 1, "up": 2, "down": 1, "waiting": 1, "waiting_eur": 100}
    assert {name: counts[name] for name in expected} == expected
    (waiting,) = [row for row in served.json("api/today", q=WAITING)["groups"][0]["rows"] if row["code"] == WAITING]
    assert counts["waiting_leads"] == pytest.approx(waiting["after"] - waiting["expected"])
    assert (counts["net"], counts["repairs"], counts["failed"], counts["reverted"]) == (10, 5, 3, 2)
    assert (counts["declined"], counts["other_findings"]) == (2, 0), "its one finding is of a segment that is listed"
    assert counts["over"] == 1 and counts["short"] == SEGMENTS - 1 - 5 - 1


def test_the_segments_and_branches_that_miss_most_leads_are_named_whatever_was_decided(served: Served) -> None:
    counts = served.json("api/today")["counts"]
    short = {
        code: row["target"] - row["expected"]
        for code, row in everything(served, q="s").items()
        if row["high"] is not None and row["high"] < row["target"]
    }
    named = {each["code"]: each["missing"] for each in counts["most_missing"]}
    assert list(named) == sorted(short, key=lambda code: (-short[code], code))[:3]
    assert named == pytest.approx({code: short[code] for code in named})
    assert sum(each["missing"] for each in counts["branches_missing"]) == pytest.approx(sum(short.values()))
    rows = everything(served, q="s").values()
    assert counts["unknown"] == sum(
        row["action"] is not None and None in (row["target"], row["expected"]) for row in rows
    )


def test_repairs_are_counted_by_their_cause(served: Served) -> None:
    counts = served.json("api/today")["counts"]
    causes = counts["repairs_by_cause"]
    assert sum(causes.values()) == counts["repairs"] == 5
    assert causes == {served.json("api/today")["clusters"][0]["reason"]: 4} | {
        code: 1 for code in causes if causes[code] == 1
    }


def test_unknown_is_null_and_never_zero(served: Served) -> None:
    rows = everything(served, q="s")
    for name in ("target", "expected", "low", "high", "stake"):
        assert rows[BLOCKED[0]][name] is None, name
    for name in ("action", "old", "new", "target", "sentence", "evaluated_at", "outcome", "run_id"):
        assert rows[UNDECIDED][name] is None, name
    assert rows[SWITCHED_OFF]["old"] is None and rows[APPLIED]["changed_by"] is None


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"q": "s0"}, {f"s0{n}" for n in range(10)}),
        ({"q": "Schilder regio 00"}, {"s00"}),
        ({"q": "regio-01"}, {"s01"}),
        ({"q": "%"}, set()),
        ({"q": "s_0"}, set()),
        ({"branch": "schilder", "action": "increase"}, {"s00", "s02", "s04", "s06", "s08", "s16"}),
        ({"region": "regio-05"}, {"s05"}),
        ({"action": "decrease"}, {"s01"}),
        ({"action": "over"}, {"s01"}),
        ({"reason": "needs_approval"}, {WAITING}),
        ({"branch": "'; drop table leads; --"}, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_each_filter_leaves_what_it_says(served: Served, params: dict[str, str], expected: set[str]) -> None:
    assert set(everything(served, **params)) == expected


def test_the_filters_offer_what_there_is(served: Served) -> None:
    facets = served.json("api/today")["facets"]
    assert facets["branches"] == ["dakdekker", "schilder"] and len(facets["regions"]) == SEGMENTS
    assert {"missing_capacity", "step_limit", "within_dead_band"} <= set(facets["reasons"])


@pytest.mark.parametrize("code", [REVERTED, TWO_BUDGETS])
def test_a_reverted_change_is_shown_as_reverted_with_who_and_when(served: Served, code: str) -> None:
    row = everything(served)[code]
    assert (row["outcome"], row["reverted_by"]) == ("reverted", "cees@leads.example")
    assert datetime.fromisoformat(row["reverted_at"]) == at(today(), 6, 41)
    assert row["log_id"] is None, "it is not offered again"


def test_the_run_that_asks_is_named_which_need_not_be_the_one_that_decided(
    served: Served, leads: LeadsDatabase
) -> None:
    def asked() -> tuple[Any, Any]:
        answer = served.json("api/today", q=WAITING)
        (row,) = [row for row in answer["groups"][0]["rows"] if row["code"] == WAITING]
        return (answer["asking"] or {}).get("run_id"), row["asking_run_id"]

    assert asked() == (None, None), "the deciding run's question is over, or there was none"
    question = "00000000-0000-4000-8000-00000000000a"
    leads.restore(
        "insert into approval_questions (id, channel, dag_run_id, asked) values (%s, 'google_ads', 'manual__2', '[]')",
        [question],
    )
    assert asked() == ("manual__2", None), "it began to wait after the question was shown"
    shown = "jsonb_build_array(jsonb_build_object('segment', %s::text))"
    leads.restore(f"update approval_questions set asked = {shown} where id = %s", [WAITING, question])
    assert asked() == ("manual__2", "manual__2")
    leads.restore("update approval_questions set chosen = '{}', recorded_at = now() where id = %s", [question])
    assert asked() == (None, None), "what was answered, or ran out, is asked no more"
    leads.restore("delete from approval_questions where id = %s", [question])


def test_the_only_change_of_a_segment_is_offered_for_a_revert(served: Served, leads: LeadsDatabase) -> None:
    rows = everything(served)
    (change,) = leads.fetch(
        "select id::text as id from channel_orchestration_log where external_id = 'budget/s00' and kind = 'plan'"
    )
    assert rows[APPLIED]["log_id"] == change["id"] and rows[WAITING]["log_id"] is None


def test_amounts_are_written_by_postgres_to_the_last_digit(served: Served, leads: LeadsDatabase) -> None:
    amount = "update budget_decisions set old_budget = {0}, new_budget = {0}"
    change = amount + " where decision_date = lead_today() and sentence = 's18: hold.'"
    leads.restore(change.format("50.123456"))
    try:
        assert '"old" : 50.123456,' in served.get("api/today", params={"q": "s18"}).text
    finally:
        leads.restore(change.format("50"))


def test_the_month_and_the_sources_are_those_of_the_day(served: Served) -> None:
    answer = served.json("api/today")
    days = min(DAYS, today().day - 1)
    assert answer["month"]["first"] == today().replace(day=1).isoformat()
    assert (answer["month"]["spend"] or 0) == pytest.approx(SEGMENTS * 40.25 * days)
    assert answer["settings"]["monthly_budget"] == 40000 and answer["settings"]["approval_deadline"] == "17:00:00"
    branches = [
        {
            "country": "NL",
            "branch": "dakdekker",
            "monthly_budget": 12000,
            "spend": answer["month"]["branches"][0]["spend"],
        }
    ]
    assert answer["month"]["branches"] == branches, "only those that have an amount"
    assert (branches[0]["spend"] or 0) == pytest.approx(SEGMENTS // 2 * 40.25 * days)
    fresh = {source["channel"]: (source["is_fresh"], source["is_paid"]) for source in answer["freshness"]}
    assert fresh == {"google_ads": (True, True), "leads": (True, False), "partner_capacity": (True, False)}
    past = served.json("api/today", day=(today() - timedelta(5)).isoformat())["freshness"]
    assert {source["last_day"] for source in past} == {(today() - timedelta(6)).isoformat()}
