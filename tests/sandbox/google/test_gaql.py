"""GAQL: what is understood, and how values compare."""

from datetime import date

import pytest

from sandbox.google.gaql import Condition, GaqlError, parse

TODAY = date(2026, 11, 23)


def test_all_clauses() -> None:
    query = parse(
        """SELECT campaign.id, metrics.clicks FROM campaign
           WHERE segments.date BETWEEN '2026-11-01' AND '2026-11-07' AND campaign.status IN ('ENABLED', 'PAUSED')
             AND campaign.name LIKE '%AND%' AND metrics.clicks > 3
           ORDER BY metrics.clicks DESC, campaign.id LIMIT 5 PARAMETERS include_drafts=true""",
        TODAY,
    )
    assert query.select == ("campaign.id", "metrics.clicks")
    assert query.where == (
        Condition("segments.date", ">=", "2026-11-01"),
        Condition("segments.date", "<=", "2026-11-07"),
        Condition("campaign.status", "IN", ("ENABLED", "PAUSED")),
        Condition("campaign.name", "LIKE", "%AND%"),
        Condition("metrics.clicks", ">", "3"),
    )
    assert query.order == (("metrics.clicks", True), ("campaign.id", False))
    assert query.limit == 5


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("YESTERDAY", "2026-11-22", "2026-11-22"), ("LAST_7_DAYS", "2026-11-16", "2026-11-22")],
)
def test_during(name: str, first: str, last: str) -> None:
    query = parse(f"SELECT campaign.id FROM campaign WHERE segments.date DURING {name}", TODAY)
    assert [c.value for c in query.where] == [first, last]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("campaign.id FROM campaign", "EXPECTED_SELECT"),
        ("SELECT campaign.id campaign", "EXPECTED_FROM"),
        ("SELECT campaign.id FROM campaign WHERE campaign.id ~ 3", "UNEXPECTED_INPUT"),
        ("SELECT campaign.id FROM campaign WHERE campaign.id = 3 AND", "UNEXPECTED_INPUT"),
        (
            "SELECT campaign.id FROM campaign WHERE segments.date DURING LAST_3_YEARS",
            "INVALID_VALUE_WITH_DURING_OPERATOR",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(query: str, code: str) -> None:
    with pytest.raises(GaqlError) as error:
        parse(query, TODAY)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("op", "value", "have", "holds"),
    [
        ("=", "9", 9, True),
        (">", "9", 10, True),
        ("<", "9", 10, False),
        ("!=", "REMOVED", "ENABLED", True),
        ("=", "TRUE", True, True),
        ("!=", "TRUE", True, False),
        ("NOT IN", ("1", "2"), 3, True),
        ("NOT LIKE", "NL%", "BE | x", True),
        ("IS NULL", None, None, True),
        ("IS NOT NULL", None, None, False),
        ("=", "x", None, False),
        ("CONTAINS ANY", ("BUDGET_CONSTRAINED",), ["BUDGET_CONSTRAINED"], True),
        ("CONTAINS NONE", ("BUDGET_CONSTRAINED",), [], True),
        (">=", "2026-11-01", "2026-11-01 10:00:00", True),
    ],
)
def test_conditions(op: str, value: object, have: object, holds: bool) -> None:
    assert Condition("f", op, value).holds(have) is holds
