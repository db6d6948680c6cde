"""With LEADS_DATABASE_URL set: everything that is missing is named at once, and nothing is changed."""

import json

import pytest

from local import LocalError
from local.real_database import NEEDED, login, problems, refuse_if_incomplete
from tests.fixtures.postgres import LeadsDatabase


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NEEDED, "AIRFLOW_CONN_LEADS_DB", "LEADS_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_everything_missing_is_named_at_once(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADS_DATABASE_URL", leads_db.owner_url)
    with pytest.raises(LocalError) as caught:
        refuse_if_incomplete()
    message = str(caught.value)
    for expected in (
        *NEEDED,
        "row level security does not bind",
        "set total_daily_cap, max_daily_increase, approval_threshold",
        "lead_segments has no row",
        "channel_sources has no row",
        "lead_segment_channels has no row",
        "grant select (id, branch, region, is_active) on public.partners to lead_pipeline;",
        "Nothing was changed.",
    ):
        assert expected in message


def test_a_complete_database_has_no_problems(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = leads_db.add_segment()
    leads_db.fetch(
        "update orchestration_settings set total_daily_cap = 100, max_daily_increase = 10, approval_threshold = 5"
    )
    leads_db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id)"
        " values ('google_ads', '1234567890', '2', %s)",
        [segment],
    )
    leads_db.fetch(
        "insert into lead_segment_channels (segment_id, channel) values (%s, 'google_ads')",
        [segment],
    )
    leads_db.fetch("grant select on partners, partner_capacity to lead_pipeline")
    for name in NEEDED:
        monkeypatch.setenv(name, "google-cloud-platform://")
    monkeypatch.setenv("LEADS_DATABASE_URL", leads_db.owner_url)
    monkeypatch.setenv("AIRFLOW_CONN_LEADS_DB", leads_db.pipeline_url)
    assert problems() == []


def test_a_database_that_was_never_migrated_says_how(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADS_DATABASE_URL", leads_db.owner_url.rsplit("/", 1)[0] + "/postgres")
    assert any("make migrate" in problem for problem in problems())


def test_a_database_that_does_not_answer_is_one_of_the_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/leads")
    assert len(problems()) == len(NEEDED) + 1


@pytest.mark.parametrize(
    "connection",
    [
        "postgresql://pipe:p%40ss@db.example:6543/leads?sslmode=require",
        json.dumps(
            {
                "conn_type": "postgres",
                "host": "db.example",
                "port": 6543,
                "login": "pipe",
                "password": "p@ss",
                "schema": "leads",
                "extra": {"sslmode": "require", "unknown_to_libpq": 1},
            }
        ),
    ],
)
def test_both_forms_of_an_airflow_connection_are_understood(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LEADS_DB", connection)
    parts = set(login("postgresql://ignored").split())
    assert parts == {"host=db.example", "port=6543", "user=pipe", "password=p@ss", "dbname=leads", "sslmode=require"}
