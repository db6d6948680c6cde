"""Two sources that would count one click twice are refused where they are written down, and say why."""

from __future__ import annotations

import psycopg
import pytest

from tests.fixtures.postgres import LeadsDatabase

DOMAIN, SITE, BARE = "sc-domain:x.nl", "https://www.x.nl/", "https://x.nl/"
ADD = "insert into channel_sources (channel, account, external_id, segment_id) values (%s, %s, %s, %s)"


def add(db: LeadsDatabase, *sources: tuple[str, str, str]) -> None:
    segments = [row["id"] for row in db.fetch("select id from lead_segments limit 1")] or [db.add_segment()]
    for channel, account, external_id in sources:
        db.fetch(ADD, [channel, account, external_id, segments[0]])


@pytest.mark.parametrize(
    ("channel", "one", "other"),
    [
        ("search_console", (DOMAIN, "/a"), (SITE, "/a")),
        ("search_console", (DOMAIN, "/a"), (SITE, "/a/b")),
        ("search_console", (SITE, "/a/b"), (DOMAIN, "/A/")),
        ("search_console", (DOMAIN, "/a"), (DOMAIN, "/A//")),
        ("search_console", (DOMAIN, "/a"), (DOMAIN, "//www.x.nl/a")),
        ("search_console", (DOMAIN, "//shop.x.nl/a"), ("sc-domain:shop.x.nl", "/a")),
        ("search_console", (SITE, "/nl/a"), ("https://www.x.nl/nl/", "/nl/a")),
        ("ga4", ("1", "micro.nl"), ("2", "micro.nl")),
        ("ga4", ("1", "micro.nl"), ("1", "www.Micro.nl")),
        ("ga4", ("1", "micro.nl"), ("1", "path://micro.nl/a")),
        ("ga4", ("1", "path:/a"), ("1", "path:/A/")),
        ("ga4", ("1", "path:/a"), ("2", "path:/a/b")),
        ("ga4", ("1", "path://x.nl/a"), ("2", "path://www.x.nl/a")),
    ],
)
def test_a_click_that_two_sources_would_count_is_refused_with_the_reason(
    leads_db: LeadsDatabase, channel: str, one: tuple[str, str], other: tuple[str, str]
) -> None:
    add(leads_db, (channel, *one))
    with pytest.raises(psycopg.errors.ExclusionViolation) as refused:
        add(leads_db, (channel, *other))
    said = refused.value.diag
    assert all(name in said.message_primary for name in (*one, *other))
    assert "counted twice" in said.message_detail and said.message_hint

    leads_db.fetch("update channel_sources set is_active = false")
    add(leads_db, (channel, *other))
    with pytest.raises(psycopg.errors.ExclusionViolation):
        leads_db.fetch("update channel_sources set is_active = true")


def test_sources_that_share_no_page_are_taken(leads_db: LeadsDatabase) -> None:
    add(
        leads_db,
        ("search_console", DOMAIN, "/a"),
        ("search_console", DOMAIN, "/a/b"),
        ("search_console", DOMAIN, "//shop.x.nl/a"),
        ("search_console", "https://www.y.nl/", "/a"),
        # The pages with www. are in the one, those without in the other.
        ("search_console", "https://y.nl/", "/a"),
        ("search_console", "https://z.nl/nl/", "/"),
        ("search_console", "https://z.nl/be/", "/"),
        ("ga4", "1", "path:/a"),
        ("ga4", "1", "path:/a/b"),
        ("ga4", "1", "micro.nl"),
        ("ga4", "2", "path://y.nl/q"),
        ("ga4", "3", "path://z.nl/q"),
        ("google_ads", "1234567890", "1"),
    )
    assert leads_db.value("select count(*) from channel_sources") == 13
    leads_db.fetch("update channel_sources set description = 'looked at'")


@pytest.mark.parametrize(
    ("channel", "account", "external_id"),
    [
        ("search_console", "x.nl", "/a"),
        ("search_console", DOMAIN, "a/b"),
        ("search_console", DOMAIN, "//y.nl/a"),
        ("search_console", DOMAIN, "//a/b"),
        ("search_console", SITE, "https://shop.x.nl/a"),
        ("ga4", "1", "path:a"),
        ("ga4", "1", "https://micro.nl"),
        ("ga4", "1", "schildér.nl"),
    ],
)
def test_a_source_that_no_row_could_ever_match_is_refused(
    leads_db: LeadsDatabase, channel: str, account: str, external_id: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        add(leads_db, (channel, account, external_id))
    assert external_id in refused.value.diag.message_primary and refused.value.diag.message_hint


def test_two_sources_may_follow_each_other_in_time_and_not_share_a_day(leads_db: LeadsDatabase) -> None:
    add(leads_db, ("search_console", DOMAIN, "/a"))
    leads_db.fetch("update channel_sources set valid_to = '2026-03-31'")
    leads_db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id, valid_from) "
        "select channel, %s, external_id, segment_id, '2026-04-01' from channel_sources",
        [SITE],
    )
    with pytest.raises(psycopg.errors.ExclusionViolation):
        leads_db.fetch("update channel_sources set valid_from = '2026-03-31' where account = %s", [SITE])


def test_an_admin_may_add_sources_and_is_refused_like_everybody(leads_db: LeadsDatabase) -> None:
    admin, segment = leads_db.add_user(is_admin=True), leads_db.add_segment()
    with leads_db.connect("authenticated", admin) as connection:
        connection.execute(ADD, ["ga4", "1", "path:/a", segment])
        with pytest.raises(psycopg.errors.ExclusionViolation):
            connection.execute(ADD, ["ga4", "1", "path:/A/", segment])


def test_thousands_of_sources_are_taken_in_one_statement_by_a_table_that_was_never_analyzed(
    leads_db: LeadsDatabase,
) -> None:
    """Half a second; compared each with every other one it took four minutes. One more that overlaps is still seen."""
    segment = leads_db.add_segment()
    many = (
        "insert into channel_sources (channel, account, external_id, segment_id) "
        "select channel, account, prefix || n, %s from generate_series(1, 4000) as n, "
        "(values ('search_console', 'sc-domain:x.nl', '/'), ('ga4', '1', 'path:/')) as c (channel, account, prefix)"
    )
    with leads_db.connect() as connection:
        connection.execute("set local statement_timeout = '60s'")
        connection.execute(many, [segment])
    with pytest.raises(psycopg.errors.ExclusionViolation):
        add(leads_db, ("search_console", SITE, "/3999"))
