"""One value that cannot be true costs its own row: the others arrive, its segment holds, and a finding names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pandas as pd
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_demand.budgets import planning
from lead_demand.channels import pull, registry
from lead_demand.channels.ga4 import _by_external_id
from lead_demand.channels.metrics import to_metrics
from lead_demand.channels.whole_numbers import as_numbers, whole
from lead_demand.database import findings, sql
from lead_demand.errors import InvalidRange
from lead_demand.runs import window_statements
from lead_demand.runs.day import Window, latest_whole_day
from tests.channels.test_contract import CHANNELS, DAYS, PAGES, SOURCES, WINDOW, full, paid
from tests.fixtures.airflow import use_database
from tests.fixtures.findings import BOUND, UNKNOWN
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.steps import execute_step

PAINTERS = "1234567890"
# In numbers, as an API's JSON and its clients write them.
WRONG: list[Any] = [
    *(-1, -0.51, 10**13, 2**31 * 10**4, 2**63 - 1, -(2**63), 10**30, 1e300),
    *(float("nan"), float("inf"), float("-inf"), None, "", "abc", "NaN", "1e999", "-7", [], "12\n13", "\x00"),
]
NO_DAYS = ["0001-01-01", "9999-12-31", "2026-3-27", "garbage", "", "\x00", "infinity", "20260327", None]


# From raw rows to contract rows ---------------------------------------------------------------------------------------


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=20), st.none(), st.binary(max_size=3), st.decimals()))
def test_a_number_is_read_whole_or_not_at_all(value: Any) -> None:
    number = whole(value, 0, 10**6)
    assert number is None or (type(number) is int and 0 <= number <= 10**6)


@given(st.lists(st.one_of(st.integers(0, 9), st.sampled_from(WRONG)), max_size=8))
def test_what_is_no_number_is_unknown_never_zero_and_said(cells: list[Any]) -> None:
    frame = as_numbers(pd.DataFrame({"clicks": pd.Series(cells, dtype=object)}), ["clicks"], 0, 10**6)
    for cell, number, said in zip(cells, frame["clicks"], frame["unreadable"], strict=True):
        if whole(cell, 0, 10**6) is None:
            assert number is pd.NA and said.startswith("clicks=")
        else:
            assert number == whole(cell) and said is None


def good_rows(name: str) -> tuple[Any, pd.DataFrame, pd.DataFrame]:
    """A channel, raw rows of four days as its source gives them, and its sources."""
    if name == "google_ads":
        columns = ["external_id", "date", "spend_micros", "impressions", "clicks"]
        return paid(), pd.DataFrame(full(), columns=columns, dtype=object), SOURCES
    channel: Any = registry.get(name)
    external, keys = CHANNELS[name]
    if name == "ga4":
        rows = [(day, *key.split("|"), "Organic Search", 20, 2) for key in keys[:3] for day in DAYS]
        return (
            channel,
            pd.DataFrame(rows, columns=["date", "host", "page", "group", "sessions", "leads"]),
            PAGES.assign(external_id=list(external)),
        )
    rows = [(key, day, 90, 9) for key in keys[:2] for day in DAYS]
    return (
        channel,
        pd.DataFrame(rows, columns=["external_id", "date", *channel.metrics]),
        PAGES.assign(external_id=list(external)),
    )


def contract(channel: Any, rows: pd.DataFrame, sources: pd.DataFrame) -> Any:
    raw = _by_external_id(rows) if channel.channel == "ga4" else rows.assign(is_final=True)
    return to_metrics(channel, "sc-domain:x.nl", raw.assign(is_final=True), sources, WINDOW)


def by_key(pulled: Any, channel: Any) -> dict[tuple[str, str], tuple[int, ...]]:
    return {
        (row["segment_id"], row["date"]): tuple(row[metric] for metric in channel.metrics)
        for row in pulled.frame.to_dict("records")
    }


NUMBERS = {
    "google_ads": ["spend_micros", "impressions", "clicks"],
    "search_console": ["impressions", "clicks"],
    "ga4": ["sessions", "leads"],
}


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=30)
@given(data=st.data())
def test_one_wrong_number_leaves_out_its_segments_day_and_is_named_until_it_is_right(
    name: str, data: st.DataObject
) -> None:
    channel, rows, sources = good_rows(name)
    good = by_key(contract(channel, rows, sources), channel)
    assert good and (name != "google_ads" or all(all(figures) for figures in good.values()))
    column = data.draw(st.sampled_from(NUMBERS[name]))
    at = data.draw(st.integers(0, len(rows) - 1))
    value = data.draw(st.sampled_from(WRONG))
    bad = rows.astype({column: object})
    bad.at[at, column] = value
    pulled = contract(channel, bad, sources)
    left = by_key(pulled, channel)
    (gone,) = good.keys() - left.keys()
    assert gone[1] == rows.at[at, "date"]
    assert left == {key: figures for key, figures in good.items() if key != gone}, "the others, as they were"
    (finding,) = pulled.findings
    assert (finding.name, finding.segment_id, finding.date) == ("impossible_metric", *gone)
    assert "earlier value, if any, stays" in finding.detail and f"pull_{name}" in finding.remediation


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", NO_DAYS)
def test_a_row_of_no_day_makes_the_days_unknown_that_it_may_be_of(name: str, value: Any) -> None:
    channel, rows, sources = good_rows(name)
    good = by_key(contract(channel, rows, sources), channel)
    bad = rows.astype({"date": object})
    bad.at[0, "date"] = value if value is not None or name != "ga4" else ""
    pulled = contract(channel, bad, sources)
    left = by_key(pulled, channel)
    (gone,) = good.keys() - left.keys()
    assert gone[1] == rows.at[0, "date"]
    assert left == {key: figures for key, figures in good.items() if key != gone}
    (finding,) = pulled.findings
    assert finding.name == "impossible_metric" and "was not asked for" in finding.detail


def test_a_sum_that_no_column_holds_is_left_out_though_each_of_its_rows_may_be() -> None:
    rows = [(str(n), DAYS[0], 1, 10**8, 1) for n in range(30)] + [("21", day, 1, 5, 1) for day in DAYS]
    frame = pd.DataFrame(rows, columns=["external_id", "date", "spend_micros", "impressions", "clicks"])
    sources = pd.DataFrame(
        [*((str(n), "s1", "one") for n in range(30) if n != 21), ("21", "s2", "two")], columns=list(SOURCES)
    )
    frame = frame[~((frame["external_id"] == "21") & (frame["impressions"] == 10**8))]
    pulled = contract(paid(), frame, sources)
    assert ("s1", DAYS[0]) not in by_key(pulled, paid()) and ("s2", DAYS[0]) in by_key(pulled, paid())
    assert [finding.name for finding in pulled.findings] == ["impossible_metric"]


# Through the real clients ---------------------------------------------------------------------------------------------


ACCOUNTS = {"google_ads": PAINTERS, "search_console": "sc-domain:vakwerkgids.example", "ga4": "345678901"}
METHODS = {"google_ads": "SearchStream", "search_console": "searchAnalytics", "ga4": "runReport"}
TEXTS = {"google_ads": "campaign.id, segments.date", "search_console": '"page"', "ga4": "landingPage"}
LAST = latest_whole_day() - timedelta(days=10)  # no source corrects it any more
LONG_AGO = Window(LAST - timedelta(days=1), LAST)


def read(sandbox: Sandbox, name: str) -> tuple[dict[tuple[str, str], dict[str, Any]], list[findings.Finding]]:
    books = sandbox.company(LONG_AGO.last, LONG_AGO.last)
    rows = [row for row in books["sources"] if row["channel"] == name and row["account"] == ACCOUNTS[name]]
    sources = pd.DataFrame(rows).rename(columns={"segment": "segment_id"})
    sources = sources.assign(segment=sources["segment_id"], sites=[[ACCOUNTS["search_console"]]] * len(sources))
    sources = sources.assign(valid_from="0001-01-01", valid_to="9999-12-31", is_active=True, is_segment_active=True)
    pulled = pull.read(registry.get(name), ACCOUNTS[name], sources, LONG_AGO)
    frame = pulled.frame.astype(object).where(pulled.frame.notna(), None)
    return {(row["segment_id"], row["date"]): row for row in frame.to_dict("records")}, pulled.findings


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("google_ads", "metrics.cost_micros", 2**63 - 1),
        ("google_ads", "metrics.cost_micros", -5),
        ("google_ads", "metrics.impressions", 2**62),
        ("google_ads", "metrics.clicks", -1),
        ("google_ads", "metrics.conversions", "NaN"),
        ("google_ads", "metrics.conversions", "Infinity"),
        ("google_ads", "metrics.conversions", 1e300),
        ("google_ads", "metrics.conversions", -1.5),
        ("google_ads", "segments.date", "0001-01-01"),
        ("search_console", "clicks", "NaN"),
        ("search_console", "impressions", None),
        ("search_console", "impressions", 1e300),
        ("search_console", "clicks", "many"),
        ("search_console", "keys", ["garbage", "https://www.vakwerkgids.example/schilder/utrecht"]),
        ("ga4", "sessions", "NaN"),
        ("ga4", "sessions", "-3"),
        ("ga4", "keyEvents", "1e999"),
        ("ga4", "keyEvents", "many"),
        ("ga4", "date", "garbage"),
    ],
)
def test_the_other_rows_of_an_answer_arrive(clean_sandbox: Sandbox, name: str, field: str, value: Any) -> None:
    good, before = read(clean_sandbox, name)
    clean_sandbox.fault("value", METHODS[name], times=3, text=TEXTS[name], field=field, value=value)
    bad, found = read(clean_sandbox, name)
    clean_sandbox.clear()
    named = [finding for finding in found if finding.name == "impossible_metric"]
    assert len(named) == 1 and "impossible_metric" not in {finding.name for finding in before}
    held = {key for key in good if key[0] == named[0].segment_id} if named[0].segment_id else set()
    assert bad.keys() <= good.keys() and good.keys() - bad.keys() <= held
    # A row of no day makes only those days unknown of which its page has no other row.
    assert not held or good.keys() - bad.keys() or "the 0 days" in named[0].detail, "unknown, and never 0"
    assert {key: row for key, row in good.items() if key in bad} == bad
    assert read(clean_sandbox, name)[0] == good


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("google_ads", "FROM customer", "metrics.conversions", "NaN"),
        ("google_ads", "FROM customer", "metrics.clicks", 2**62),
        ("search_console", '"dimensions": ["date"]', "clicks", "NaN"),
        ("ga4", '"dimensions": [{"name": "date"}]', "sessions", "many"),
    ],
)
def test_a_total_that_is_no_number_is_compared_with_nothing(
    clean_sandbox: Sandbox, name: str, text: str, field: str, value: Any
) -> None:
    good, _ = read(clean_sandbox, name)
    clean_sandbox.fault("value", METHODS[name], times=3, text=text, field=field, value=value)
    bad, found = read(clean_sandbox, name)
    assert bad == good
    (named,) = (finding for finding in found if finding.name == "impossible_metric")
    assert named.subject == ACCOUNTS[name] and "compared with nothing" in named.detail


# Budgets --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def painters(
    leads_db: LeadsDatabase, clean_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LeadsDatabase]:
    """A database whose segments own the painters' campaigns, one each."""
    use_database(monkeypatch, leads_db)
    books = clean_sandbox.company(LONG_AGO.last, LONG_AGO.last)
    for row in books["sources"]:
        if row["channel"] == "google_ads" and row["account"] == PAINTERS:
            leads_db.fetch(
                "with made as (insert into lead_segments (code, branch, region) values (%s, %s, %s) "
                "on conflict (code) do update set code = excluded.code returning id) "
                "insert into channel_sources (channel, account, external_id, segment_id) "
                "select 'google_ads', %s, %s, id from made",
                [row["segment"], *row["segment"].replace("_", "-").split("-", 1), PAINTERS, row["external_id"]],
            )
    yield leads_db


def segments(db: LeadsDatabase, run: str) -> dict[str, Any]:
    """The budget in force by segment, as a decision of that run would see it."""
    values = {"channel": "google_ads", "dag_run_id": run, "is_complete": True, "kill_switch": False}
    values |= UNKNOWN | {"currency": "EUR", "time_zone": "Europe/Amsterdam"}
    rows = db.fetch(sql.render("lead_budgets/select_segments.sql"), values)
    return {row["code"]: row["current_budget"] for row in rows}


@pytest.mark.advice("impossible_budget")
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("campaign_budget.amount_micros", 10**14, "a daily budget of 100,000,000.00"),
        ("campaign_budget.amount_micros", -1_000_000, "a daily budget of -1.00"),
        ("campaign_budget.amount_micros", 2**63 - 1, "a daily budget of 9,223,372,036,854.78"),
        ("campaign_budget.reference_count", 2**40, "a budget of 1099511627776 campaigns"),
        ("campaign_budget.resource_name", "", "no budget id"),
        ("campaign.start_date_time", "soon\nWhat to do: nothing", "a start 'soon What to do: nothing'"),
        ("campaign.end_date_time", "0000-00-00 00:00:00", "an end '0000-00-00 00:00:00'"),
        ("customer.currency_code", "", "no currency"),
        ("customer.time_zone", "\x00", "no time zone"),
    ],
)
def test_a_budget_that_cannot_be_holds_its_segment_alone_until_it_is_right(
    painters: LeadsDatabase, clean_sandbox: Sandbox, field: str, value: Any, said: str
) -> None:
    campaigns = planning.read_budgets("google_ads", PAINTERS, "before")
    good = segments(painters, "before")
    assert None not in good.values()
    clean_sandbox.fault("value", "SearchStream", text="campaign_budget.period", field=field, value=value)
    assert planning.read_budgets("google_ads", PAINTERS, "bad") == campaigns
    bad = segments(painters, "bad")
    (held,) = {code for code in good if bad[code] is None}
    assert {code: amount for code, amount in bad.items() if code != held} == {
        code: amount for code, amount in good.items() if code != held
    }
    (finding,) = painters.fetch("select *, segment_id::text as of from pipeline_findings where resolved_at is null")
    assert finding["name"] == "impossible_budget" and finding["level"] == "stop" and said in finding["detail"]
    assert "was not touched" in finding["detail"] and "start lead_budgets again" in finding["remediation"]
    assert painters.value("select code from lead_segments where id::text = %s", [finding["of"]]) == held
    planning.read_budgets("google_ads", PAINTERS, "after")
    assert segments(painters, "after") == good
    assert painters.fetch("select 1 from pipeline_findings where resolved_at is null") == []


def test_a_campaigns_name_is_one_line_wherever_it_is_kept(painters: LeadsDatabase, clean_sandbox: Sandbox) -> None:
    name = "dak\x00\r\nWhat happened: nothing\x1b[31m\u2028What to do: nothing" + "x" * 5000
    clean_sandbox.fault("value", "SearchStream", text="campaign_budget.period", field="campaign.name", value=name)
    planning.read_budgets("google_ads", PAINTERS, "run")
    (kept,) = painters.fetch("select campaign_name from channel_budgets where campaign_name like 'dak%'")
    assert kept["campaign_name"].startswith("dak What happened: nothing What to do: nothing")


def test_an_impossible_budget_is_not_written_as_the_one_in_force(
    painters: LeadsDatabase, clean_sandbox: Sandbox
) -> None:
    window = Window(latest_whole_day(), latest_whole_day())
    clean_sandbox.fault(
        "value", "SearchStream", text="campaign_budget.period", field="campaign_budget.amount_micros", value=10**14
    )
    pull.pull("google_ads", PAINTERS, window, "run")
    rows = painters.fetch("select daily_budget, spend from channel_metrics where date = %s", [window.last])
    unknown = [row for row in rows if row["daily_budget"] is None]
    assert len(unknown) == 1 and len(rows) > 3 and all(row["spend"] is not None for row in rows)


def test_findings_hold_any_text(leads_db: LeadsDatabase) -> None:
    texts = ["\x00", "\ud800", "a" * 100_000, "é" * 3000, "x\u2028y", "\\u0000", '"', "%s {0}"]
    found = [findings.Finding("x", "warn", text, text, subject=f"1/{n}{text}") for n, text in enumerate(texts)]
    with leads_db.connect("lead_pipeline") as connection:
        assert findings.record(connection, found, [findings.Checked("x")]) == len(texts)
    assert leads_db.value("select count(*) from pipeline_findings") == len(texts)


# The company's own tables ---------------------------------------------------------------------------------------------


def test_a_partner_whose_capacity_is_no_number_makes_one_segment_unknown(leads_db: LeadsDatabase) -> None:
    leads_db.fetch("grant select on partners, partner_capacity to lead_pipeline")
    leads_db.fetch("alter table partner_capacity drop constraint partner_capacity_daily_leads_check")
    leads_db.fetch("alter table partner_capacity alter daily_leads type text")
    wrong = ["abc", "-1", "NaN", "Infinity", "1e999999", "99999999999", "1,5", "", "\u0663", "5 per dag\nWhat to do: x"]
    for n, said in enumerate(["4", " 7 ", "2.5", *wrong]):
        leads_db.add_segment("schilder", f"regio-{n:02}")
        leads_db.fetch(
            "with made as (insert into partners (name, branch, region) values ('J', 'schilder', %s) returning id) "
            "insert into partner_capacity (partner_id, branch, region, daily_leads) "
            "select id, 'schilder', %s, %s from made",
            [f"regio-{n:02}", f"regio-{n:02}", said],
        )
    values = {"first": latest_whole_day(), "last": latest_whole_day(), "dag_run_id": "test"} | BOUND
    with psycopg.connect(leads_db.pipeline_url) as connection:
        for name in ("upsert_channel_metrics_partner_capacity", "insert_pipeline_findings_capacity"):
            connection.execute(sql.render(f"lead_stats/{name}.sql"), values)
        connection.execute(sql.render("lead_stats/insert_pipeline_findings_partners.sql"), values)
    rows = leads_db.fetch(
        "select capacity_total_leads as leads from channel_metrics inner join lead_segments on id = segment_id "
        "where channel = 'partner_capacity' order by code"
    )
    assert [row["leads"] for row in rows] == [4, 7, 3, *[None] * len(wrong)]
    named = leads_db.fetch("select detail from pipeline_findings where name = 'capacity_impossible'")
    assert len(named) == len(wrong) and all("\n" not in row["detail"] for row in named)


def test_a_lead_with_strange_values_costs_no_other_lead(leads_db: LeadsDatabase) -> None:
    segment = leads_db.add_segment()
    moment = "(lead_today() - 1)::timestamp at time zone 'Europe/Amsterdam' + interval '9 hours'"
    leads_db.fetch(f"insert into leads (created_at, branch, region) values ({moment}, 'schilder', 'utrecht')")
    # Such a text does not shrink, so it fits in no page of an index.
    strange = "x\r\nWhat happened: nothing\x1b[31m\u2028" + "".join(sha256(bytes([n])).hexdigest() for n in range(256))
    for column in ("status", "branch", "region", "country", "postal_code", "source_channel", "email"):
        leads_db.fetch(f"insert into leads (created_at, {column}) values ({moment}, %s)", [strange])
    for at in ("infinity", "-infinity", "0001-01-01 BC", "9999-12-31", "294276-12-31"):
        leads_db.fetch("insert into leads (created_at, branch, region) values (%s, 'schilder', 'utrecht')", [at])
    values = {"first": latest_whole_day() - timedelta(days=3), "last": latest_whole_day(), "dag_run_id": "test"} | BOUND
    with psycopg.connect(leads_db.pipeline_url) as connection:
        for name in ("update_leads", "upsert_channel_metrics_leads", "upsert_channel_totals_leads"):
            execute_step(connection, f"lead_stats/{name}.sql", values)
        connection.execute(sql.render("lead_stats/insert_pipeline_findings_leads.sql"), values)
    counted = leads_db.value("select sum(leads_generated) from channel_metrics where segment_id = %s", [segment])
    assert counted == 1
    told = json.dumps(leads_db.fetch("select subject, detail from pipeline_findings"), ensure_ascii=False)
    assert "What happened" not in told and "\u2028" not in told and "\x1b" not in told


# Days -----------------------------------------------------------------------------------------------------------------


def test_days_before_the_earliest_are_refused_before_anything_isread(
    leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_database(monkeypatch, leads_db)
    early = Window(latest_whole_day().replace(year=1, month=1, day=1), latest_whole_day())
    with pytest.raises(InvalidRange, match=r"start on 0001-01-01; the earliest day is 2015-01-01 \(orchestration_sett"):
        window_statements.refuse_too_early(early)
    attempt: Any = {}
    with pytest.raises(InvalidRange):
        window_statements.run_statement("attribute_leads", "select 1 / 0", early, attempt, attempt)
    first = Window(early.first.replace(year=2015), early.last)
    window_statements.refuse_too_early(first)
    leads_db.fetch("update orchestration_settings set earliest_day = '2020-05-01'")
    with pytest.raises(InvalidRange, match="the earliest day is 2020-05-01"):
        window_statements.refuse_too_early(first)
    with pytest.raises(psycopg.errors.CheckViolation):
        leads_db.fetch("update orchestration_settings set earliest_day = '0001-01-01'")
    leads_db.fetch("delete from orchestration_settings")
    window_statements.refuse_too_early(first)
