"""One page, many spellings: they become one, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_demand.channels import addresses
from tests.fixtures.postgres import LeadsDatabase

# What spellings are made of, more often than chance would bring it.
PARTS = st.sampled_from(
    [
        *("/", "//", ".", "..", "A", "b", "é", "%C3%A9", "%c3%a9", "%2F", "%2f", "%7E", "~", "%", "%4", "%25", "%41"),
        *("%2e", " ", "%20", "+", "(", "%28", "?q=1", "#x", "index.html", "INDEX.PHP", "\\", "%5C", "€", "\u00a0"),
        "\n",
    ]
)
PATHS = st.lists(PARTS, max_size=10).map("".join)
HOSTS = st.lists(st.sampled_from(["www.", "WWW.", "x", "X-y", ".", ".nl", ":443", ":", " "]), max_size=6).map("".join)


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("/Schilder/Utrecht/", "/schilder/utrecht"),
        ("/schilder//utrecht", "/schilder/utrecht"),
        ("/schilder/./x/../utrecht?gclid=1#prijs", "/schilder/utrecht"),
        ("/schilder/utrecht/index.html", "/schilder/utrecht"),
        ("/%73childer/utrecht", "/schilder/utrecht"),
        ("/caf%C3%A9", "/caf%c3%a9"),
        ("/café", "/caf%c3%a9"),
        ("/schilder%2Futrecht", "/schilder%2futrecht"),
        ("", "/"),
    ],
)
def test_spellings_of_one_path_are_equal(written: str, one: str) -> None:
    assert addresses.path(written) == one


def test_a_page_of_another_language_an_amp_page_and_an_encoded_slash_stay_pages_of_their_own() -> None:
    pages = ["/schilder", "/nl/schilder", "/amp/schilder", "/nl%2Fschilder", "/schilders"]
    assert len({addresses.path(page) for page in pages}) == len(pages)


@pytest.mark.parametrize("url", ["http://x.nl/a", "https://WWW.X.nl:443/A/", "//x.nl./a", "https://user@x.nl/a?b"])
def test_one_page_under_several_addresses(url: str) -> None:
    assert addresses.page(url) == "x.nl/a"


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "x-nl.translate.goog", "webcache.googleusercontent.com", "", "(not set)"],
)
def test_a_copy_of_the_site_is_nobodys_site(host: str) -> None:
    assert addresses.is_copy(addresses.host(host))
    assert not addresses.is_copy("staging.x.nl"), "of a real host only a person can say"


@given(PATHS, HOSTS)
def test_a_normal_form_stays_as_it_is(path: str, host: str) -> None:
    assert addresses.path(addresses.path(path)) == addresses.path(path)
    once = addresses.host(host)
    assert not once.startswith("www.") or once.count(".") == 1 or addresses.host(once) != once


def test_the_database_spells_as_the_pull_does(leads_db: LeadsDatabase) -> None:
    with leads_db.connect() as connection:

        @given(st.lists(PATHS, min_size=20, max_size=20), st.lists(HOSTS, min_size=20, max_size=20))
        @settings(max_examples=25, deadline=None)
        def same(paths: list[str], hosts: list[str]) -> None:
            rows = connection.execute(
                "select private.source_path(path) as path, private.source_host(host) as host "
                "from unnest(%s::text[], %s::text[]) with ordinality as s (path, host, n) order by n",
                [paths, hosts],
            ).fetchall()
            assert [(row["path"], row["host"]) for row in rows] == [
                (addresses.path(path), addresses.host(host)) for path, host in zip(paths, hosts, strict=True)
            ]

        same()
