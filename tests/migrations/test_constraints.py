"""Nonsense that the tables refuse, and what they accept although it looks odd."""

import pytest
from psycopg import errors

from tests.migrations.conftest import SeededDatabase

SEGMENT = "(select id from lead_segments where branch = 'schilder')"
STATS = f"insert into lead_generation_stats (segment_id, date, {{}}) values ({SEGMENT}, lead_today() - 9, {{}})"
PLANS = f"insert into lead_segment_plans (segment_id, date, {{}}) values ({SEGMENT}, lead_today() - 9, {{}})"
LIMITS = f"insert into lead_segment_channels (segment_id, channel, {{}}) values ({SEGMENT}, 'bing_ads', {{}})"
BRANCHES = "insert into lead_branch_channels (country, branch, channel, monthly_budget) values ({}, {})"
METRICS = (
    f"insert into channel_metrics (segment_id, channel, account, date, {{}})"
    f" values ({SEGMENT}, 'x', '1', lead_today() - 9, {{}})"
)
DECISIONS = f"insert into budget_decisions (segment_id, channel, {{}}) values ({SEGMENT}, 'x', {{}})"
SEGMENTS = "insert into lead_segments (code, branch, region, {}) values ('a_b', 'a', 'b', {})"
SOURCES = f"insert into channel_sources (segment_id, channel, account, external_id) values ({SEGMENT}, {{}}, {{}})"

REFUSED = {
    **{
        f"{table.split()[2]}.{column} {value}": table.format(column, value)
        for table, columns in {
            STATS: "leads_generated leads_accepted leads_rejected leads_pending google_ads_spend google_ads_clicks "
            "google_ads_impressions seo_clicks seo_visits microsite_visits microsite_leads capacity_partners "
            "capacity_total_leads capacity_absent_leads capacity_absent_week",
            PLANS: "target_leads_per_day expected_leads_per_day target_daily_budget_google_ads "
            "actual_daily_budget_google_ads",
            LIMITS: "min_daily_budget max_daily_budget max_increase_pct max_decrease_pct cooldown_days",
            METRICS: "spend impressions clicks conversions daily_budget visits microsite_visits microsite_leads "
            "leads_generated capacity_partners capacity_total_leads capacity_absent_leads capacity_absent_week",
        }.items()
        for column in columns.split()
        for value in ("-1",)
    },
    **{
        f"{table.split()[2]}.{column} NaN": table.format(column, "'NaN'")
        for table, columns in {
            STATS: "google_ads_spend capacity_absent_week",
            PLANS: "target_daily_budget_google_ads actual_daily_budget_google_ads",
            LIMITS: "min_daily_budget max_daily_budget max_increase_pct max_decrease_pct",
            METRICS: "spend conversions daily_budget capacity_absent_week",
        }.items()
        for column in columns.split()
    },
    "parts do not add up": STATS.format("leads_generated, leads_accepted, leads_rejected, leads_pending", "5, 1, 1, 1"),
    "more accepted than came in": STATS.format("leads_generated, leads_accepted", "3, 5"),
    "more decided than came in": STATS.format("leads_generated, leads_accepted, leads_pending", "3, 2, 2"),
    "metrics do not add up": METRICS.format(
        "leads_generated, leads_accepted, leads_rejected, leads_pending", "5, 1, 1, 1"
    ),
    "sources are no object": METRICS.format("leads_by_source", "'[]'"),
    "unknown plan status": PLANS.format("orchestration_status", "'done'"),
    "unknown target source": PLANS.format("target_source", "'me'"),
    "floor above cap": LIMITS.format("min_daily_budget, max_daily_budget", "9, 8"),
    "more than all of it": LIMITS.format("max_decrease_pct", "101"),
    "code in capitals": "insert into lead_segments (code, branch, region) values ('A_b', 'a', 'b')",
    "branch with a blank": "insert into lead_segments (code, branch, region) values ('a_b', 'a b', 'b')",
    "empty region": "insert into lead_segments (code, branch, region) values ('a_b', 'a', '')",
    "country in words": SEGMENTS.format("country", "'Nederland'"),
    "postal prefix with a blank": SEGMENTS.format("postal_prefixes", "'{50 1}'"),
    "postal prefix NULL": SEGMENTS.format("postal_prefixes", "'{50,null}'"),
    "customer id with dashes": SOURCES.format("'google_ads'", "'123-456-7890', '1'"),
    "account of blanks": SOURCES.format("'ga4'", "' ', 'x.nl'"),
    "channel in capitals": SOURCES.format("'GA4'", "'1', 'x.nl'"),
    **{
        f"month of a segment {value}": f"update lead_segment_channels set monthly_budget = {value}"
        for value in ("-1", "'NaN'")
    },
    **{
        f"month of a branch {value}": f"update lead_branch_channels set monthly_budget = {value}"
        for value in ("-1", "'NaN'")
    },
    "month of a branch on another channel": BRANCHES.format("'NL', 'schilder', 'bing_ads'", "500"),
    "month of another channel": LIMITS.format("monthly_budget", "500"),
    "month of a branch that nobody has": BRANCHES.format("'NL', 'schilderr', 'google_ads'", "500"),
    "month of a branch of another country": BRANCHES.format("'BE', 'schilder', 'google_ads'", "500"),
    "month of a branch that becomes another": "update lead_branch_channels set branch = 'schilderr'",
    "second row of settings": "insert into orchestration_settings (id) values (false)",
    "cap below zero": "update orchestration_settings set total_daily_cap = -1",
    "month below zero": "update orchestration_settings set monthly_budget = -1",
    "month that is no number": "update orchestration_settings set monthly_budget = 'NaN'",
    "cap that is no number": "update orchestration_settings set max_daily_increase = 'NaN'",
    "currency in words": "update orchestration_settings set currency = 'euro'",
    "fetch that ends before it starts": "insert into channel_fetches (channel, date_from, date_to, row_count)"
    " values ('ga4', lead_today(), lead_today() - 1, 0)",
    "finding of no level": "insert into pipeline_findings (name, level, detail) values ('x', 'error', 'x')",
    "unknown action": DECISIONS.format("action", "'double'"),
    "increase that is none": DECISIONS.format("action, old_budget, new_budget", "'increase', 5, 5"),
    "decrease that is none": DECISIONS.format("action, old_budget, new_budget", "'decrease', 5, 6"),
    "hold that changes": DECISIONS.format("action, old_budget, new_budget", "'hold', 5, 6"),
    "increase of an unknown budget": DECISIONS.format("action, new_budget", "'increase', 6"),
    "blocked and yet decided": DECISIONS.format("action, old_budget, new_budget, is_blocked", "'increase', 5, 6, true"),
    "interval upside down": DECISIONS.format("action, expected_low, expected_high", "'hold', 5, 4"),
    "status that means nothing": "insert into lead_spellings (kind, spelling, meaning) values ('status', 'x', 'y')",
    "country of a status": "insert into lead_spellings (kind, spelling, country, meaning)"
    " values ('status', 'x', 'NL', 'pending')",
    "share of more than all": "update channel_budgets set budget_lost_share = 1.01",
    "share below nothing": "update channel_budgets set search_impression_share = -0.01",
    "share that is no number": "update channel_budgets set budget_lost_share = 'NaN'",
    "recommended budget that is no number": "update channel_budgets set recommended_budget = 'NaN'",
    "more unknown statuses than pending": "update channel_metrics set leads_pending = 1, leads_status_unknown = 2",
}


def writer_of(statement: str) -> str | None:
    """Who may write the row at all: a decision is the pipeline's, everything else the owner's."""
    return "lead_pipeline" if statement.startswith("insert into budget_decisions") else None


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_refused(seeded_db: SeededDatabase, statement: str) -> None:
    with seeded_db.connect(writer_of(statement), autocommit=False) as writer, pytest.raises(errors.CheckViolation):
        writer.execute(statement)


ACCEPTED = {
    "lead of a channel in words": "update leads set source_channel = 'Google Ads'",
    "nothing known": STATS.format("leads_generated", "null"),
    "parts not all known": STATS.format("leads_generated, leads_accepted", "5, 1"),
    "unknown limits": LIMITS.format("is_automated", "true"),
    "month of a segment": "update lead_segment_channels set monthly_budget = 0",
    "no month of another channel": LIMITS.format("monthly_budget", "null"),
    "no month of a branch": "update lead_branch_channels set monthly_budget = null",
    "limits": LIMITS.format("min_daily_budget, max_daily_budget, max_increase_pct", "0, 80.5, 20"),
    "hold of an unknown budget": DECISIONS.format("action, is_blocked", "'hold', true"),
    "hold": DECISIONS.format("action, old_budget, new_budget", "'hold', 5, 5"),
    "increase": DECISIONS.format("action, old_budget, new_budget", "'increase', 5, 5.01"),
    "postal prefixes": SEGMENTS.format("postal_prefixes", "'{50,51,5211A}'"),
    "no postal prefixes": SEGMENTS.format("postal_prefixes", "null"),
    "a microsite": SOURCES.format("'ga4'", "'123', 'schilder-utrecht.nl'"),
}


@pytest.mark.parametrize("statement", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(seeded_db: SeededDatabase, statement: str) -> None:
    with seeded_db.connect(writer_of(statement), autocommit=False) as writer:
        writer.execute(statement)
        writer.rollback()


def test_no_two_active_segments_of_one_branch_and_region(seeded_db: SeededDatabase) -> None:
    twin = "insert into lead_segments (code, branch, region, is_active) values ('twin', 'schilder', 'utrecht', {})"
    with seeded_db.connect(autocommit=False) as owner:
        owner.execute(twin.format("false"))
        with pytest.raises(errors.UniqueViolation, match="active_key"):
            owner.execute("update lead_segments set is_active = true")


def test_one_decision_a_day_and_any_number_of_blocked_ones(seeded_db: SeededDatabase) -> None:
    blocked, decided = (DECISIONS.format("action, is_blocked", f"'hold', {flag}") for flag in ("true", "false"))
    with seeded_db.connect("lead_pipeline", autocommit=False) as pipeline:
        for statement in (blocked, blocked, decided, blocked):
            pipeline.execute(statement)
        with pytest.raises(errors.UniqueViolation, match="day_key"):
            pipeline.execute(decided)


def test_a_finding_that_is_seen_again_makes_no_second_row(seeded_db: SeededDatabase) -> None:
    upsert = (
        "insert into pipeline_findings (name, level, detail) values ('twice', 'warn', %s)"
        " on conflict (name, segment_id, channel, date, subject)"
        " do update set level = excluded.level, detail = excluded.detail, last_seen = excluded.last_seen"
    )
    with seeded_db.act_as("lead_pipeline") as pipeline:
        pipeline.execute(upsert, ["first"])
        pipeline.execute(upsert, ["second"])
        rows = pipeline.execute("select detail from pipeline_findings where name = 'twice'").fetchall()
        pipeline.rollback()
    assert rows == [{"detail": "second"}]


def test_a_segment_with_history_is_not_deleted(seeded_db: SeededDatabase) -> None:
    with seeded_db.connect(autocommit=False) as owner:
        with pytest.raises((errors.ForeignKeyViolation, errors.RestrictViolation)):
            owner.execute(f"delete from lead_segments where id = {SEGMENT}")


def test_cost_by_channel_and_month(seeded_db: SeededDatabase) -> None:
    with seeded_db.connect(autocommit=False) as owner:
        owner.execute(
            f"""
            delete from channel_metrics;
            insert into channel_metrics (segment_id, channel, account, date, spend, leads_by_source) values
            ({SEGMENT}, 'google_ads', '1', '2026-03-30', 60, null),
            ({SEGMENT}, 'google_ads', '1', '2026-03-31', 30, null),
            ({SEGMENT}, 'google_ads', '1', '2026-04-01', 10, null),
            ({SEGMENT}, 'leads', '', '2026-03-30', null,
                '{{"google_ads": {{"generated": 4, "accepted": 2, "pending": 1}},
                "seo": {{"generated": 3, "accepted": 0, "pending": 0}}}}'),
            ({SEGMENT}, 'leads', '', '2026-03-31', null,
                '{{"google_ads": {{"generated": 2, "accepted": 1, "pending": 0}}}}')
            """
        )
        rows = owner.execute(
            "select channel, month::text, spend::float, leads_generated as leads, leads_accepted as accepted,"
            " cost_per_lead::float as cpl, cost_per_accepted_lead::float as cpa"
            " from lead_channel_roi order by channel, month"
        ).fetchall()
        owner.rollback()
    assert [tuple(row.values()) for row in rows] == [
        ("google_ads", "2026-03-01", 90, 6, 3, 15, 30),
        ("google_ads", "2026-04-01", 10, None, None, None, None),
        ("seo", "2026-03-01", None, 3, 0, None, None),
    ]
