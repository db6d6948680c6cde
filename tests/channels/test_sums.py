"""It adds up: what segments got + what belongs to none = the whole account, all leads, all capacity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox.company.forms import play
from tests.fixtures.morning import Morning
from tests.fixtures.world import PAINTERS, ROOFERS, World

# What tells the three requests about an account apart.
CAMPAIGNS, ACCOUNT = "campaign.id, segments.date", "FROM customer"
SITE, PROPERTY = '"dimensions": ["date"]', '"dimensions": [{"name": "date"}]'


# -- random worlds ---------------------------------------------------------------------------------------------------


def nth(query: str) -> str:
    """The (n modulo how many there are)-th row of a query that gives `key`, in its own order."""
    return (
        "(select key from (select key, row_number() over () - 1 as at, count(*) over () as of "
        f"from ({query}) as every) as numbered where at = %(n)s::int %% of)"
    )


def sources_of(channel: str, like: str = "%%") -> str:
    return nth(
        f"select external_id as key from channel_sources where channel = '{channel}' and external_id like '{like}' "
        "order by external_id"
    )


SEGMENT = nth("select id as key from lead_segments order by code")
PARTNER = nth("select partner_id as key from partner_capacity order by partner_id")


def campaign(world: World, n: int) -> tuple[str, str]:
    """Account and id of the n-th campaign of a segment."""
    rows = world.db.fetch(
        "select distinct account, external_id from channel_sources where channel = 'google_ads' order by external_id"
    )
    row = rows[n % len(rows)]
    return row["account"], row["external_id"]


def edits(world: World, n: int, **fields: Any) -> None:
    """What Google or a person makes of a campaign; one that is removed takes no edit."""
    account, id_ = campaign(world, n)
    world.sandbox.edit(f"customers/{account}/campaigns/{id_}", user=None, **fields)


def gets_a_total_budget(world: World, n: int) -> None:
    edits(world, n, start_date_time=f"{world.window.first} 00:00:00", end_date_time="2037-12-30 23:59:59")
    budget = sorted(world.sandbox.budgets())[n % len(world.sandbox.budgets())]
    world.sandbox.edit(budget, user=None, period="CUSTOM_PERIOD", total_amount_micros=3_000_000_000, amount_micros=0)


def pauses(world: World, n: int) -> None:
    world.sandbox.set_campaign(campaign(world, n)[1], "PAUSED", world.window.last)


def is_partial(world: World, n: int) -> None:
    """An answer that says of itself that it is not the whole one, though its figures are."""
    world.sandbox.fault("truncated", "runReport", times=2)
    world.sandbox.fault("by_property", "searchAnalytics", times=2)


def from_a_form(shape: str, **values: Any) -> Callable[[World, int], None]:
    def happens_to_a_segment(world: World, n: int) -> None:
        codes = [row["code"] for row in world.db.fetch("select code from lead_segments order by code")]
        play(world.db.owner_url, shape, [codes[n % len(codes)]], days=world.window.days, **values)

    return happens_to_a_segment


# A segment, its partner and its leads beyond the border, with the branch and the region of one that is here.
BEYOND = (
    "with area as (select branch, region from lead_segments order by code offset %(n)s::int %% 12 limit 1), "
    "made as (insert into lead_segments (code, branch, region, country) select "
    "'be_' || replace(branch || '_' || region, '-', '_'), branch, region, 'BE' from area on conflict do nothing), "
    "joined as (insert into partners (name, branch, region) select 'Peeters', branch, region from area returning *), "
    "takes as (insert into partner_capacity (partner_id, country, branch, region, daily_leads) "
    "select id, 'BE', branch, region, 4 from joined) "
    "insert into leads (created_at, branch, region, country, postal_code) select "
    "(lead_today() - 1 - d)::timestamp at time zone 'Europe/Amsterdam' + interval '1 hour', branch, region, "
    "case when d %% 2 = 0 then 'BE' else 'België' end, '2000' from area, generate_series(0, 3) as d"
)


# What real accounts, forms and partners do. A further shape is one entry: SQL of the company's owner, with %(n)s for
# whom it happens to, or a function of (world, n) for what happens at a source. The sums hold after each, in any order.
Shape = str | Callable[[World, int], None]
SHAPES: dict[str, Shape] = {
    "a campaign belongs to no segment": f"delete from channel_sources where external_id = {sources_of('google_ads')}",
    "a campaign belongs to another segment": (
        f"update channel_sources set segment_id = {SEGMENT} where external_id = {sources_of('google_ads')}"
    ),
    "a campaign belongs to another segment from a day on": (
        "with old as (update channel_sources set valid_to = lead_today() - 3 where id = "
        + nth("select id as key from channel_sources where channel = 'google_ads' and valid_to is null order by id")
        + " returning channel, account, external_id) insert into channel_sources "
        f"(channel, account, external_id, segment_id, valid_from) select *, {SEGMENT}, lead_today() - 2 from old"
    ),
    "a campaign is removed": lambda world, n: world.remove(n),
    "a campaign is removed and replaced": lambda world, n: world.remove(n, replaced=True),
    "a segment ends": f"update lead_segments set is_active = false where id = {SEGMENT}",
    "a host that is not the site": lambda world, n: world.sandbox.fault("copies", "runReport", times=2),
    "pages belong to no segment": (
        f"delete from channel_sources where external_id = {sources_of('search_console')} "
        f"or external_id = {sources_of('ga4', 'path:%%')}"
    ),
    "a host belongs to no segment": (
        f"delete from channel_sources where external_id = {sources_of('ga4', '%%.example')}"
    ),
    "a lead from where nobody works": from_a_form("elsewhere"),
    "a lead without any place": from_a_form("nowhere"),
    "a lead without a branch": from_a_form("no_branch", word="  "),
    "a lead that a person gave to a segment": from_a_form("by_hand"),
    "a lead that is none": from_a_form("invalid"),
    "a lead that was posted twice": from_a_form("double_post"),
    "leads of a status that nobody has explained": from_a_form("status", word="Terug gebeld"),
    "leads of a source that nobody has explained": from_a_form("source", word="t.co"),
    "a segment ends after a lead came": from_a_form("deactivated"),
    "a partner whose region is written otherwise": (
        f"update partner_capacity set region = 'N. Brabant' where partner_id = {PARTNER}"
    ),
    "a partner of no segment's branch": (
        f"update partner_capacity set branch = 'slotenmaker' where partner_id = {PARTNER}"
    ),
    "a partner that stops": f"update partners set is_active = false where id = {PARTNER}",
    "a partner that takes more": (
        f"update partner_capacity set daily_leads = daily_leads + 2 where partner_id = {PARTNER}"
    ),
    "rows of an account come twice": lambda world, n: world.sandbox.fault(
        "duplicate_rows", "SearchStream", customer=(PAINTERS, ROOFERS)[n % 2], text=CAMPAIGNS
    ),
    "a campaign ends": lambda world, n: edits(world, n, end_date_time=f"{world.window.last} 12:00:00"),
    "a campaign is paused": pauses,
    "a campaign has a total budget": gets_a_total_budget,
    "an account has another currency": lambda world, n: world.sandbox.edit(
        f"customers/{(PAINTERS, ROOFERS)[n % 2]}", user=None, currency_code="DKK"
    ),
    "a country has segments of the same names": BEYOND,
    "a report says that it is partial": is_partial,
    "a number of an account cannot be true": lambda world, n: world.sandbox.fault(
        "negative_metrics", "SearchStream", customer=(PAINTERS, ROOFERS)[n % 2], text=CAMPAIGNS
    ),
}
# Those that may also happen between two runs.
BETWEEN = list(SHAPES)


def happens(world: World, name: str, n: int) -> None:
    shape = SHAPES[name]
    if isinstance(shape, str):
        world.db.fetch(shape, {"n": n})
    else:
        shape(world, n)


def assert_adds_up(world: World) -> None:
    """Each figure of each account and day is all there, once, and the statistics agree with it."""
    assert [row["detail"] for row in world.open_findings()] == []
    rows = world.totals()
    for row in rows:
        what = (row["channel"], row["account"], row["metric"], str(row["date"]))
        assert row["reported"] is not None, what
        # Of what was re-mapped and not believed in one morning, the sum is known with the next pull.
        assert row["in_segments"] is not None or row["left_out"] != 0, what
        if row["left_out"] is None:
            named = world.db.fetch(
                "select 1 from pipeline_findings where name = 'impossible_metric' and channel = %s and date = %s",
                [row["channel"], row["date"]],
            )
            assert named, f"{what}: what was left out is neither known nor named"
        elif row["in_segments"] is not None:
            assert row["difference"] == 0, what
    whole = {
        "leads": "select count(*) from leads where (created_at at time zone 'Europe/Amsterdam')::date = %s",
        "capacity": "select coalesce(sum(daily_leads), 0) from partner_capacity "
        "join partners on partner_id = partners.id where is_active and %s::date is not null",
    }
    days = {(row["metric"], row["date"]): row["reported"] for row in rows if row["metric"] in whole}
    assert {metric for metric, _ in days} == set(whole)
    for (metric, of_day), reported in days.items():
        assert reported == world.db.value(whole[metric], [of_day]), (metric, of_day)


PLACES = st.integers(0, 30)
HAPPENING = st.lists(st.tuples(st.sampled_from(sorted(SHAPES)), PLACES), min_size=1, max_size=6)
LATER = st.lists(st.tuples(st.sampled_from(sorted(BETWEEN)), PLACES), max_size=4)
# What an account says of itself, without what takes the same calls.
STATES = [
    "a campaign ends",
    "a campaign is paused",
    "a campaign has a total budget",
    "an account has another currency",
    "a country has segments of the same names",
    "a report says that it is partial",
]
EVERYTHING = [(name, n) for n, name in enumerate(SHAPES)]


@settings(
    max_examples=3,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(first=HAPPENING, later=LATER)
@example(first=[(name, n) for n, name in enumerate(STATES)], later=[])
@example(first=EVERYTHING, later=[(name, n + 1) for n, name in enumerate(BETWEEN)])
def test_whatever_happens_nothing_is_counted_twice_or_dropped(
    new_world: Callable[[], Any], first: list[tuple[str, int]], later: list[tuple[str, int]]
) -> None:
    with new_world() as world:
        for happening in (first, later):
            for name, n in happening:
                happens(world, name, n)
            world.lead_stats()
            world.sandbox.clear()
            assert_adds_up(world)
        if first == EVERYTHING:
            world.lead_stats()
            assert_adds_up(world)
            assert not [row for row in world.totals() if row["difference"] is None], "nothing was doubtful any more"
            in_none = {row["channel"] for row in world.totals() if row["in_none"] > 0}
            assert in_none == {"google_ads", "search_console", "ga4", "leads", "partner_capacity"}


def row_versions(world: World) -> list[tuple[str, str]]:
    rows = world.db.fetch("select ctid::text as place, xmin::text as version from channel_totals order by 1")
    return [(row["place"], row["version"]) for row in rows]


# -- what differs is named, holds, and heals -------------------------------------------------------------------------


def test_each_sum_is_said_in_one_line_and_kept_once(world: World) -> None:
    world.lead_stats()
    before = row_versions(world)
    world.lead_stats()
    assert row_versions(world) == before, "an equal sum is not written again"
    lines = world.lines()
    assert len(lines) == 6
    starts = [f"Google Ads {PAINTERS}: ", f"Google Ads {ROOFERS}: ", "Leads of leads_db: ", "Capacity of leads_db: "]
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=False)] == [True] * 4
    assert " segments €" in lines[0] and " + no segment €" in lines[0] and " = account €" in lines[0]
    assert not any("DIFFERS" in line for line in lines)


@pytest.mark.advice("sums_differ")
@pytest.mark.long
def test_a_campaign_that_the_list_lacks_is_missed_in_the_account_and_holds_that_account_alone(world: World) -> None:
    world.sandbox.fault("row_missing", "SearchStream", times=2, customer=ROOFERS, text=CAMPAIGNS)
    world.lead_stats()
    found = world.open_findings()
    (spend,) = [row for row in found if row["subject"] == f"{ROOFERS}/spend"]
    assert (spend["level"], spend["channel"]) == ("stop", "google_ads") and spend["date"] is not None
    (total,) = [row for row in world.totals() if row["difference"] and row["metric"] == "spend"]
    assert total["date"] == spend["date"] and total["difference"] < 0
    missing = f"{abs(total['difference']):f}".rstrip("0").rstrip(".")
    assert f"{missing} are counted nowhere" in spend["detail"] and ROOFERS in spend["detail"]
    assert {row["level"] for row in found if row["subject"] != spend["subject"]} <= {"warn"}
    assert world.held() == {ROOFERS}

    world.lead_stats()  # what the finding advises
    assert world.open_findings() == [] and world.held() == set()
    assert {
        row["resolved_at"] is not None
        for row in world.db.fetch("select * from pipeline_findings where name = 'sums_differ'")
    } == {True}


def test_what_differs_once_is_asked_again_before_it_is_believed(world: World) -> None:
    world.sandbox.fault("row_missing", "SearchStream", customer=PAINTERS, text=CAMPAIGNS)
    world.lead_stats()
    assert_adds_up(world)


@pytest.mark.parametrize(
    ("method", "text", "channel"), [("searchAnalytics", SITE, "search_console"), ("runReport", PROPERTY, "ga4")]
)
def test_a_report_that_differs_from_its_whole_is_a_warning_and_holds_nothing(
    world: World, method: str, text: str, channel: str
) -> None:
    world.sandbox.fault("inflated", method, times=2, text=text, share=0.5)
    world.lead_stats()
    found = world.open_findings()
    assert {(row["level"], row["channel"]) for row in found} == {("warn", channel)}
    assert world.held() == set()
    world.sandbox.clear()
    world.lead_stats()
    assert world.open_findings() == []


def test_a_difference_within_the_tolerance_is_kept_and_is_no_finding(world: World) -> None:
    world.sandbox.fault("inflated", "SearchStream", times=2, customer=PAINTERS, text=ACCOUNT, share=0.0005)
    world.lead_stats()
    spend = [row for row in world.totals() if (row["account"], row["metric"]) == (PAINTERS, "spend")]
    assert all(0 < -row["difference"] <= row["tolerance"] for row in spend)
    assert world.open_findings() == []


@pytest.mark.long
def test_statistics_that_somebody_changed_are_named_and_written_again(world: World) -> None:
    world.lead_stats()
    world.db.fetch(
        "update lead_generation_stats set google_ads_spend = google_ads_spend + 5 where date = lead_today() - 1"
    )
    world.lead_stats(only=lambda task: task == "record_sums")
    (found,) = world.open_findings()
    assert (found["level"], found["subject"]) == ("stop", "lead_generation_stats/spend")
    assert world.held() == {PAINTERS, ROOFERS}
    world.lead_stats()
    assert world.open_findings() == []


COUNT_ONE_MORE = """
create function one_more() returns trigger language plpgsql as $$
begin
    new.leads_generated := new.leads_generated + 1;
    new.leads_pending := new.leads_pending + 1;
    new.capacity_total_leads := new.capacity_total_leads + 1;
    return new;
end $$;
create trigger one_more before insert on channel_metrics for each row
when (new.channel in ('leads', 'partner_capacity')) execute function one_more()
"""


def test_a_lead_or_capacity_that_is_counted_twice_holds_everything_until_it_is_counted_once(world: World) -> None:
    world.db.fetch(COUNT_ONE_MORE)
    world.lead_stats()
    found = world.open_findings()
    assert {(row["level"], row["subject"]) for row in found} == {
        ("stop", "leads_db/leads"),
        ("stop", "leads_db/capacity"),
    }
    assert all("counted too much" in row["detail"] for row in found)
    assert world.held() == {PAINTERS, ROOFERS}
    world.db.fetch("drop trigger one_more on channel_metrics")
    world.lead_stats()
    assert_adds_up(world)


@pytest.mark.long
def test_a_person_who_finds_a_difference_right_says_so_once(world: World) -> None:
    world.sandbox.fault("inflated", "SearchStream", times=20, customer=PAINTERS, text=ACCOUNT, share=0.1)
    world.lead_stats()
    assert world.held() == {PAINTERS}
    world.db.fetch("update pipeline_findings set level = 'info' where name = 'sums_differ'")
    world.lead_stats()
    assert world.open_findings() and world.held() == set()


def test_a_run_of_the_dag_adds_up_to_the_cent_and_to_the_lead(morning: Morning) -> None:
    rows = morning.db.fetch(
        "select channel, metric, count(*) as days, count(reported) as asked, max(abs(difference)) as off "
        "from channel_totals where date >= lead_today() - 30 and in_segments is not null group by 1, 2"
    )
    assert {(row["channel"], row["metric"]) for row in rows if row["off"] == 0} == {
        ("google_ads", "spend"), ("google_ads", "clicks"), ("google_ads", "impressions"), ("google_ads", "conversions"),
        ("search_console", "clicks"), ("search_console", "impressions"), ("ga4", "sessions"), ("leads", "leads"),
        ("partner_capacity", "capacity"),
    }  # fmt: skip
    assert all(row["asked"] == row["days"] for row in rows)
    assert morning.findings("sums_differ") == []
