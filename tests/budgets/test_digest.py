"""The digest: what marketing reads of a morning, each thing once."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from lead_demand import database
from lead_demand.budgets import digest
from lead_demand.planner.reasons import Reason
from lead_demand.runs import day
from tests.budgets.conftest import DayByHand

MONDAY, THURSDAY = date(2026, 11, 30), date(2026, 11, 26)
AT = datetime(2026, 11, 26, 9, 12, tzinfo=UTC)
FIGURES = {
    "rows": 12,
    "leads": 98,
    "leads_unknown": 0,
    "target": 120,
    "gap": 22,
    "gap_unknown": 0,
    "spend": Decimal("512.30"),
    "spend_unknown": 0,
}


def row(segment: str, action: str | None, outcome: str | None = None, **given: Any) -> dict[str, Any]:
    budgets = {"old_budget": Decimal(100), "new_budget": Decimal(120)}
    return {"segment": segment, "action": action, "outcome": outcome, "reasons": "", "sentence": None} | budgets | given


def morning(*today: dict[str, Any], **given: Any) -> digest.Morning:
    fresh = {"channel": "leads", "account": "leads_db", "last_day": date(2026, 11, 25), "fetched_at": AT}
    base = digest.Morning(THURSDAY, today, (), (), [fresh | {"is_fresh": True}], FIGURES)
    return dataclasses.replace(base, **given)


def section(told: digest.Morning, title: str) -> list[str]:
    """The lines below a title, up to the next blank one."""
    _, lines = digest.compose(told)
    at = next(number for number, line in enumerate(lines) if line.startswith(title))
    rest = lines[at + 1 :]
    return rest[: rest.index("")] if "" in rest else rest


def test_a_day_of_every_kind_reads_like_this() -> None:
    told = morning(
        row("made", "increase", "applied", sentence="Because."),
        row("refused", "decrease", "failed", new_budget=Decimal(80), sentence="Too much."),
        row("large", "increase", "waiting_approval", sentence="Far too few."),
        row("blind", "hold", "held", reasons="missing_capacity"),
        row("quiet", "hold", "held", reasons="within_dead_band"),
        row("late", None),
        pace=["November: on its way."],
        no_change="Dry run: nothing was sent.",
        deadline="12:00",
    )
    subject, lines = digest.compose(told)
    assert subject == ("Budgets of 2026-11-26: 1 change(s) made, 1 not made, 3 wait for a person, 1 of 1 sources fresh")
    assert lines == [
        f"{subject}. Dry run: nothing was sent.",
        "November: on its way.",
        "",
        "YESTERDAY",
        "98 leads. Target 120, gap 22 (too few). €512.30 spent on Google Ads.",
        "",
        "CHANGES",
        "- made: €100.00 → €120.00 per day, made. Because.",
        "- refused: €100.00 → €80.00 per day, NOT made: refused. Too much.",
        "Together +€20.00 per day.",
        "",
        "WAITING FOR A PERSON",
        "- Whoever may answer, under Required Actions in Airflow until 12:00: yes or no to",
        "  large: €100.00 → €120.00 per day. Far too few.",
        "- Marketing operations: blind is held: the partners' capacity is not known. "
        f"{Reason.MISSING_CAPACITY.what_to_do}",
        "- On call was alerted: not decided today: late.",
        "",
        "FRESHNESS",
        "channel    account    up to       read",
        "---------  ---------  ----------  ----------------  --",
        "leads      leads_db   2026-11-25  2026-11-26 10:12",
    ]


def test_a_day_without_anything_to_do_says_so() -> None:
    told = morning(row("quiet", "hold", "held", reasons="within_dead_band"))
    assert section(told, "CHANGES") == ["None: every budget stays as it was."]
    assert section(told, "WAITING") == ["Nothing."]


def test_a_segment_that_needs_no_paid_leads_needs_nobody() -> None:
    told = morning(row("quiet", "hold", "held", reasons="automation_off, no_campaign"))
    assert section(told, "WAITING") == ["Nothing."]


def test_segments_that_are_held_for_one_reason_are_one_line_and_the_rest_is_counted() -> None:
    held = [row(f"s{number:02}", "hold", "held", reasons="missing_capacity") for number in range(22)]
    data = [row("x", "hold", "held", reasons="missing_leads, missing_capacity")]
    marketing, of_data = section(morning(*data, *held), "WAITING")
    assert marketing.startswith("- Marketing operations: x, s00, s01, ") and "s18 and 3 more are held" in marketing
    assert of_data.startswith("- Data team: x is held: yesterday's leads are not known. ")


def test_every_hold_that_needs_a_person_has_one() -> None:
    blocking = [reason for reason in Reason if reason.blocking]
    assert set(blocking) >= digest.OF_MARKETING
    told = morning(*(row(reason.value, "hold", "held", reasons=reason.value) for reason in blocking))
    lines = section(told, "WAITING")
    assert len(lines) == len(blocking)
    assert all(line.startswith(("- Marketing operations: ", "- Data team: ")) for line in lines)


def test_what_the_changes_should_bring_is_added_up_where_each_has_a_promise() -> None:
    changes = [row("a", "increase", "applied"), row("b", "decrease", "applied", new_budget=Decimal(90))]
    promised = {"segment": "a", "leads_after": Decimal("8.1"), "leads_alone": Decimal("6.8")}
    other = {"segment": "b", "leads_after": Decimal(5), "leads_alone": Decimal("5.5")}
    both = morning(*changes, promises=[promised, other])
    assert section(both, "CHANGES")[-1] == "Together +€10.00 per day, and +0.8 leads per day expected of it."
    one = morning(*changes, promises=[promised, other | {"leads_after": None}])
    assert section(one, "CHANGES")[-1] == "Together +€10.00 per day."


def test_a_revert_says_who_and_when_and_its_change_counts_no_more() -> None:
    revert = {
        "segment": "a",
        "old_value": Decimal(120),
        "new_value": Decimal(100),
        "decided_by": "admin",
        "closed_at": AT,
        "of_date": THURSDAY,
    }
    told = morning(row("a", "increase", "applied", sentence="Because."), reverts=[revert])
    assert section(told, "REVERTS") == ["- a: €120.00 → €100.00 per day, reverted by admin at 10:12 on 26 Nov."]
    assert section(told, "CHANGES") == [
        "- a: €100.00 → €120.00 per day, made, then reverted by admin at 10:12. Because."
    ]
    of_yesterday = morning(row("a", "increase", "applied"), reverts=[revert | {"of_date": date(2026, 11, 25)}])
    assert section(of_yesterday, "CHANGES")[0] == "- a: €100.00 → €120.00 per day, made."


def test_what_is_not_known_of_yesterday_is_counted_and_never_a_zero() -> None:
    unknown = FIGURES | {"leads_unknown": 2, "gap": -3, "gap_unknown": 4, "spend": None, "spend_unknown": 12}
    assert section(morning(yesterday=unknown), "YESTERDAY") == [
        "98 leads (not known of 2 of 12 segments). Target 120, gap -3 (too many), without 4 segments whose target or "
        "leads are not known. Spend on Google Ads is not known."
    ]
    nothing = FIGURES | {"leads": None, "leads_unknown": 12, "target": None, "gap": None, "gap_unknown": 12}
    assert section(morning(yesterday=nothing), "YESTERDAY")[0].startswith(
        "not known leads (not known of 12 of 12 segments). Target and gap are not known."
    )


WEEK = FIGURES | {"first": date(2026, 11, 23), "last": date(2026, 11, 29), "increases": 3, "decreases": 2, "holds": 70}
WEEK |= {"blocked": 9, "judged": 40, "as_promised": 33, "changes_judged": 5, "nearer": 4}


def test_the_week_says_how_often_decisions_were_right() -> None:
    assert section(morning(of=MONDAY, week=WEEK), "LAST WEEK, 2026-11-23 to 2026-11-29") == [
        "98 leads. Target 120, gap 22 (too few). €512.30 spent on Google Ads.",
        "Decisions: 3 increase(s), 2 decrease(s), 70 hold(s), 9 held because something is not known.",
        "Of 40 decision(s) of the week before, whose seven days are over, 33 brought the leads that were expected; of "
        "5 change(s), 4 brought the leads nearer to their target.",
    ]
    unjudged = section(morning(week=WEEK | {"judged": 0, "as_promised": 0}), "LAST WEEK")[-1]
    assert unjudged.startswith("No decision of the week before can be judged")


def test_the_database_tells_the_week_on_mondays_only_and_what_came_against_what_was_wanted(by_hand: DayByHand) -> None:
    db = by_hand.db
    today = day.today()
    first, last = date.fromordinal(today.toordinal() - 7), date.fromordinal(today.toordinal() - 1)
    for table in ("lead_generation_stats", "lead_segment_plans"):
        db.restore(f"delete from {table} where date between %s and %s", [first, last])
    values = "values (%s, %s, %s, %s)"
    stats = f"insert into lead_generation_stats (segment_id, date, leads_generated, google_ads_spend) {values}"
    plans = f"insert into lead_segment_plans (segment_id, date, target_leads_per_day, lead_gap) {values}"
    one, other = (segment["segment_id"] for segment in by_hand.segments[:2])
    db.restore(stats, [one, last, 4, 12.5])
    db.restore(plans, [one, last, 7, 3])
    db.restore(stats, [other, last, 2, None])
    db.restore(plans, [other, last, 9, None])
    with database.connect() as connection:
        for of in (date.fromordinal(today.toordinal() + ahead) for ahead in range(7)):
            assert (digest.read(connection, "google_ads", of).week is not None) is (of.weekday() == 0)
        told = digest.read(connection, "google_ads", today)
    found = told.yesterday
    assert (found["leads"], found["target"], found["gap"], found["spend"]) == (6, 7, 3, Decimal("12.5"))
    assert found["leads_unknown"] == found["rows"] - 2 and found["gap_unknown"] == found["rows"] - 1
