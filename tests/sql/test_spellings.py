"""What companies, forms and partners really write: each spelling, status, source, country and time has a right value.

The adapters, the statements of `lead_stats` in the DAG's order, as the pipeline's own login.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.fixtures.findings import BOUND
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.steps import execute_step
from tools import adapters

STEPS = (
    "lead_stats/update_leads.sql",
    "lead_stats/upsert_channel_metrics_leads.sql",
    "lead_stats/upsert_channel_metrics_partner_capacity.sql",
    "lead_stats/upsert_lead_generation_stats.sql",
    "lead_stats/insert_pipeline_findings.sql",
    "lead_stats/insert_pipeline_findings_leads.sql",
    "lead_stats/insert_pipeline_findings_partners.sql",
)
BLANKS = ("\u00a0", "\u2009", "\u3000", "  ", "\t")


class Company:
    """A company's database and its mornings."""

    def __init__(self, db: LeadsDatabase) -> None:
        self.db = db
        self.today: date = db.value("select lead_today()")
        db.fetch("grant select on partners, partner_capacity to lead_pipeline")

    def segment(self, code: str, country: str = "NL", prefixes: tuple[str, ...] = ()) -> UUID:
        branch, region = code.split("_", 1)
        return self.db.value(
            "insert into lead_segments (code, branch, region, country, postal_prefixes) values (%s, %s, %s, %s, %s) "
            "returning id",
            [f"{code}_{country.lower()}", branch, region, country, list(prefixes)],
        )

    def lead(self, days_ago: int = 1, at: str = "12:00", **columns: Any) -> int:
        """A lead, as the form inserts it; returns its id."""
        row = {"branch": "schilder", "status": "new", "source_channel": "seo", **columns}
        names, places = ", ".join(row), ", ".join(["%s"] * len(row))
        moment = f"{self.today - timedelta(days=days_ago)} {at}"
        return self.db.value(
            f"insert into leads (created_at, {names}) values "
            f"(%s::timestamp at time zone 'Europe/Amsterdam', {places}) returning id",
            [moment, *row.values()],
        )

    def partner(self, region: str, daily_leads: int, branch: str = "schilder", country: str = "NL") -> int:
        """An active partner; returns its id."""
        partner = self.db.value(
            "insert into partners (name, branch, region) values ('Jansen', %s, %s) returning id", [branch, region]
        )
        self.also_takes(partner, region, daily_leads, branch, country)
        return partner

    def also_takes(
        self, partner: int, region: str, daily_leads: int, branch: str = "schilder", country: str = "NL"
    ) -> None:
        self.db.fetch(
            "insert into partner_capacity (partner_id, country, branch, region, daily_leads) "
            "values (%s, %s, %s, %s, %s)",
            [partner, country, branch, region, daily_leads],
        )

    def explain(self, kind: str, spelling: str, meaning: str, country: str | None = None) -> None:
        """What a person adds in Supabase, as an admin."""
        claims = self.db.add_user(is_admin=True)
        with self.db.connect("authenticated", claims) as admin:
            admin.execute(
                "insert into lead_spellings (kind, spelling, meaning, country) values (%s, %s, %s, %s)",
                [kind, spelling, meaning, country],
            )

    def run(self, days: int = 30) -> None:
        """The statements of lead_stats for yesterday."""
        values = {
            "first": self.today - timedelta(days=days),
            "last": self.today - timedelta(days=1),
            "dag_run_id": "test",
        } | BOUND
        for step in STEPS:
            with psycopg.connect(self.db.pipeline_url, row_factory=dict_row) as connection:
                execute_step(connection, step, values)

    def segment_of(self, lead: int) -> str | None:
        return self.db.value(
            "select max(code) from leads left join lead_segments on segment_id = lead_segments.id where leads.id = %s",
            [lead],
        )

    def stats(self, segment: UUID, days_ago: int = 1) -> dict[str, Any]:
        return self.db.fetch(
            "select * from lead_generation_stats where segment_id = %s and date = lead_today() - %s::int",
            [segment, days_ago],
        )[0]

    def sources(self, segment: UUID, days_ago: int = 1) -> dict[str, int]:
        found = self.db.value(
            "select leads_by_source from channel_metrics where channel = 'leads' and segment_id = %s "
            "and date = lead_today() - %s::int",
            [segment, days_ago],
        )
        return {name: counts["generated"] for name, counts in found.items()}

    def open_findings(self, name: str) -> dict[str, str]:
        """Subject and detail of the open ones."""
        rows = self.db.fetch("select * from pipeline_findings where name = %s and resolved_at is null", [name])
        return {row["subject"]: row["detail"] for row in rows}

    def resolved(self, name: str) -> int:
        return self.db.value(
            "select count(*) from pipeline_findings where name = %s and resolved_at is not null", [name]
        )


@pytest.fixture
def company(leads_db: LeadsDatabase) -> Company:
    return Company(leads_db)


# Spellings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "region",
    [
        "Noord-Brabant", "Noord Brabant", "noord_brabant", "NOORD\u2013BRABANT", " Noord\u00a0Brabant ",
        "Noord-Brabant (NL)", "\uff2eoord\u3000Brabant", "Noord\u2011Brab\u00e1nt", "Noord\u200b-Brabant",
    ],
)  # fmt: skip
def test_one_region_in_every_spelling_is_one_segment_for_leads_and_for_capacity(company: Company, region: str) -> None:
    segment = company.segment("schilder_noord-brabant")
    company.lead(region=region, branch=" Schilder ")
    company.partner(region, 5, branch="SCHILDER")
    company.run()
    stats = company.stats(segment)
    assert (stats["leads_generated"], stats["capacity_partners"], stats["capacity_total_leads"]) == (1, 1, 5)
    assert not company.open_findings("leads_without_segment")
    assert not company.open_findings("capacity_without_segment")


def test_a_region_of_a_segment_may_be_written_with_an_underscore_too(company: Company) -> None:
    segment = company.segment("schilder_noord_brabant")
    lead = company.lead(region="Noord-Brabant")
    company.partner("noord-brabant", 5)
    company.run()
    assert company.segment_of(lead) == "schilder_noord_brabant_nl"
    assert company.stats(segment)["capacity_total_leads"] == 5


def test_an_official_name_in_another_language_is_the_same_region(company: Company) -> None:
    segment = company.segment("schilder_friesland")
    company.lead(region="Fryslân")
    company.partner("Frysla\u0302n", 3)
    company.run()
    assert (company.stats(segment)["leads_generated"], company.stats(segment)["capacity_total_leads"]) == (1, 3)


@pytest.mark.advice("capacity_without_segment", "leads_without_segment")
def test_capacity_and_leads_in_a_spelling_that_fits_no_segment_are_named_and_one_row_of_a_person_heals_both(
    company: Company,
) -> None:
    segment = company.segment("schilder_noord-brabant")
    company.partner("Noord-Brabant", 8)
    company.partner("N-Brabant", 6)
    company.partner("N. Brabant", 2)
    for days_ago in (1, 1, 3):
        company.lead(days_ago, region="N-Brabant")
    company.run()
    assert company.stats(segment)["capacity_total_leads"] == 8
    capacity = company.open_findings("capacity_without_segment")
    assert list(capacity) == ["NL, schilder, n-brabant"]
    assert (
        "2 partner(s)" in capacity["NL, schilder, n-brabant"]
        and "take 8 leads per day" in capacity["NL, schilder, n-brabant"]
    )
    ((subject, detail),) = company.open_findings("leads_without_segment").items()
    assert subject == "NL, branch schilder, region n-brabant, no postal code"
    newest = company.today - timedelta(days=1)
    assert "3 leads" in detail and f"{newest:%d-%m}: 2" in detail

    company.explain("region", "N-Brabant", "noord-brabant", "NL")
    company.run()
    assert company.stats(segment)["capacity_total_leads"] == 16
    assert company.stats(segment)["leads_generated"] == 2 and company.stats(segment, 3)["leads_generated"] == 1
    for name in ("capacity_without_segment", "leads_without_segment"):
        assert not company.open_findings(name) and company.resolved(name) == 1


def test_a_partner_that_is_written_in_two_spellings_is_counted_once(company: Company) -> None:
    segment = company.segment("schilder_noord-brabant")
    company.explain("region", "N-Brabant", "noord-brabant")
    partner = company.partner("Noord-Brabant", 8)
    company.also_takes(partner, "N-Brabant", 8)
    company.run()
    assert (company.stats(segment)["capacity_partners"], company.stats(segment)["capacity_total_leads"]) == (1, 8)


def test_a_spelling_of_a_branch_is_explained_like_that_of_a_region(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    company.lead(branch="Schilderwerk", region="Utrecht")
    company.partner("Utrecht", 4, branch="Schilder(s)bedrijf")
    company.run()
    assert "branch schilderwerk" in next(iter(company.open_findings("leads_without_segment")))
    company.explain("branch", "schilderwerk", "schilder")
    company.explain("branch", "schilder-s-bedrijf", "schilder")
    company.run()
    assert (company.stats(segment)["leads_generated"], company.stats(segment)["capacity_total_leads"]) == (1, 4)


def test_a_spelling_is_explained_once_however_it_is_typed_and_only_by_an_admin(company: Company) -> None:
    company.explain("region", "N-Brabant", "noord-brabant")
    with pytest.raises(psycopg.errors.UniqueViolation):
        company.explain("region", "n brabant", "limburg")
    with pytest.raises(psycopg.errors.CheckViolation):
        company.explain("status", "done", "finished")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        company.db.fetch(
            "insert into lead_spellings (kind, spelling, meaning) values ('region', 'x', 'y')", role="lead_pipeline"
        )


def test_two_segments_that_fit_alike_get_nothing_and_are_named(company: Company) -> None:
    one, two = company.segment("schilder_noord-brabant"), company.segment("schilder_noord_brabant")
    lead = company.lead(region="Noord-Brabant")
    company.partner("Noord-Brabant", 8)
    company.run()
    assert company.segment_of(lead) is None
    assert {company.stats(each)["capacity_total_leads"] or 0 for each in (one, two)} == {0}
    assert (
        "fit 2 active segments alike"
        in company.open_findings("capacity_without_segment")["NL, schilder, noord-brabant"]
    )
    company.db.fetch("update lead_segments set is_active = false where id = %s", [two])
    company.run()
    assert company.stats(one)["capacity_total_leads"] == 8 and company.segment_of(lead)
    assert not company.open_findings("capacity_without_segment")


def test_a_branch_that_is_missing_or_blank_is_named_and_breaks_nothing(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    company.lead(region="Utrecht")
    ids = [company.lead(region="Utrecht", branch=branch) for branch in (None, "", *BLANKS)]
    company.run()
    assert company.stats(segment)["leads_generated"] == 1
    assert {company.segment_of(lead) for lead in ids} == {None}
    detail = company.open_findings("leads_without_segment")["NL, no branch, region utrecht, no postal code"]
    assert f"{len(ids)} leads" in detail and "no branch" in detail
    company.db.fetch("update leads set branch = 'schilder' where segment_id is null")
    company.run()
    assert company.stats(segment)["leads_generated"] == 1 + len(ids)
    assert not company.open_findings("leads_without_segment")


def test_no_free_text_that_may_be_a_persons_gets_into_a_finding(company: Company) -> None:
    company.segment("schilder_utrecht")
    company.lead(
        region="Dorpsstraat 12, piet@example.invalid", source_channel="utm=piet&tel=0612345678", status="bel 0612345678"
    )
    company.lead(branch="x" * 300, region="y" * 5000)
    company.run()
    text = " ".join(str(row) for row in company.db.fetch("select subject, detail from pipeline_findings"))
    assert "piet" not in text and "12345" not in text and "xxxxx" not in text
    assert (
        "a region that is no word" in text and "a source that is no word" in text and "a status that is no word" in text
    )


# Countries ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_countries(company: Company) -> Company:
    company.segment("schilder_limburg", "NL", ("60", "62"))
    company.segment("schilder_limburg", "BE", ("35", "36", "37", "38", "39"))
    company.segment("schilder_utrecht", "NL", ("35", "36", "37", "38", "39"))
    return company


@pytest.mark.parametrize(
    ("lead", "code"),
    [
        ({"country": "NL", "region": "Limburg"}, "schilder_limburg_nl"),
        ({"country": "BE", "region": "Limburg"}, "schilder_limburg_be"),
        ({"country": "NL", "postal_code": "3511 AB"}, "schilder_utrecht_nl"),
        ({"country": "BE", "postal_code": "3500"}, "schilder_limburg_be"),
        ({"country": None, "postal_code": "6211 AB"}, "schilder_limburg_nl"),
        ({"country": "", "postal_code": "3511AB"}, "schilder_utrecht_nl"),
        ({"country": "België", "postal_code": "3500"}, "schilder_limburg_be"),
        ({"country": "belgium", "region": "Limburg (BE)"}, "schilder_limburg_be"),
        ({"country": "nl", "region": "Limburg (NL)"}, "schilder_limburg_nl"),
        ({"country": "NL", "postal_code": "NL-3511 AB"}, "schilder_utrecht_nl"),
        ({"country": "NL", "postal_code": "nl 3511\u00a0ab"}, "schilder_utrecht_nl"),
        ({"country": "NL", "postal_code": "\uff13\uff15\uff11\uff11 AB"}, "schilder_utrecht_nl"),
        ({"country": "NL", "postal_code": " 35 11 a b "}, "schilder_utrecht_nl"),
        ({"country": "BE", "postal_code": "B-3500"}, "schilder_limburg_be"),
        ({"country": "BE", "postal_code": "BE\u20113500"}, "schilder_limburg_be"),
        ({"country": "NL", "postal_code": "B-3500"}, "schilder_limburg_be"),
        ({"country": "DE", "region": "Limburg"}, None),
        ({"country": "DE", "postal_code": "D-35037"}, None),
        ({"country": "GB", "postal_code": "B1 1AA"}, None),
    ],
)
def test_a_lead_goes_to_a_segment_of_its_own_country(
    two_countries: Company, lead: dict[str, Any], code: str | None
) -> None:
    posted = two_countries.lead(**lead)
    two_countries.run()
    assert two_countries.segment_of(posted) == code


def test_capacity_counts_in_its_own_country_alone(two_countries: Company) -> None:
    both = two_countries.partner("Limburg", 12)
    two_countries.also_takes(both, "Limburg", 5, country="BE")
    two_countries.partner("Limburg", 7, country="DE")
    two_countries.run()
    found = {
        row["code"]: row["capacity_total_leads"]
        for row in two_countries.db.fetch(
            "select code, capacity_total_leads from lead_generation_stats join lead_segments on segment_id = id "
            "where date = lead_today() - 1 and capacity_total_leads > 0"
        )
    }
    assert found == {"schilder_limburg_nl": 12, "schilder_limburg_be": 5}
    assert "7 leads per day" in two_countries.open_findings("capacity_without_segment")["DE, schilder, limburg"]


def test_a_spelling_may_mean_different_regions_in_two_countries(two_countries: Company) -> None:
    two_countries.explain("region", "het zuiden", "limburg", "NL")
    dutch, belgian = (two_countries.lead(country=country, region="Het Zuiden") for country in ("NL", "BE"))
    two_countries.run()
    assert (two_countries.segment_of(dutch), two_countries.segment_of(belgian)) == ("schilder_limburg_nl", None)


# Statuses and double posts --------------------------------------------------------------------------------------------


def test_what_is_no_lead_is_not_counted_and_the_others_settle(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    statuses = [
        "accepted",
        "Accepted ",
        "rejected",
        "new",
        "pending",
        "invalid",
        "INVALID",
        "spam",
        "test",
        "duplicate",
    ]
    for status in statuses:
        company.lead(region="utrecht", status=status)
    company.run()
    stats = company.stats(segment)
    counts = [stats[f"leads_{name}"] for name in ("generated", "accepted", "rejected", "pending")]
    assert counts == [5, 2, 1, 2]
    assert not company.open_findings("lead_status_unknown")
    company.db.fetch("update leads set status = 'invalid' where status in ('new', 'pending')")
    company.run()
    assert (company.stats(segment)["leads_generated"], company.stats(segment)["leads_pending"]) == (3, 0)
    assert company.db.value("select bool_and(is_final) from channel_metrics where channel = 'leads'")


@pytest.mark.advice("lead_status_unknown")
def test_a_status_that_nobody_has_explained_is_named_with_its_number_until_a_person_explains_it(
    company: Company,
) -> None:
    segment = company.segment("schilder_utrecht")
    company.lead(region="utrecht", status="accepted")
    for days_ago in (1, 1, 4):
        company.lead(days_ago, region="utrecht", status="Terug-gebeld")
    company.db.fetch("alter table leads alter status drop not null")
    company.lead(region="utrecht", status=None)
    company.run()
    found = company.open_findings("lead_status_unknown")
    assert set(found) == {"terug-gebeld", "no status"}
    assert (
        "3 leads" in found["terug-gebeld"] and f"{company.today - timedelta(days=4):%d-%m}: 1" in found["terug-gebeld"]
    )
    stats = company.stats(segment)
    assert (stats["leads_generated"], stats["leads_accepted"], stats["leads_pending"]) == (4, 1, 3)
    unknown = "select leads_status_unknown from channel_metrics where channel = 'leads' and date = lead_today() - 1"
    assert company.db.value(unknown) == 3
    company.explain("status", "terug-gebeld", "accepted")
    company.explain("status", "", "pending")
    company.run()
    assert not company.open_findings("lead_status_unknown") and company.resolved("lead_status_unknown") == 2
    assert (company.stats(segment)["leads_accepted"], company.db.value(unknown)) == (3, 0)


def test_a_form_that_was_posted_again_within_minutes_is_one_lead(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    piet: dict[str, Any] = {"region": "utrecht", "email": "Piet@example.invalid"}
    company.lead(at="10:00", **piet)
    company.lead(at="10:00:02", **{**piet, "email": "piet@example.invalid "})
    company.lead(at="10:09", **piet)
    company.lead(at="10:18", **piet)
    company.lead(at="11:00", **piet)
    company.lead(at="10:00", region="utrecht", email="jan@example.invalid")
    company.lead(at="10:00", **{**piet, "branch": "dakdekker"})
    company.lead(at="10:01", region="utrecht")
    company.lead(at="10:01", region="utrecht")
    company.lead(2, at="23:58", region="utrecht", phone="000 555 0001")
    company.lead(1, at="00:03", region="utrecht", phone="000 555 0001")
    company.lead(at="14:00", region="utrecht", email="x@example.invalid", status="test")
    company.lead(at="14:01", region="utrecht", email="x@example.invalid")
    company.run()
    assert company.stats(segment, 2)["leads_generated"] == 1
    # Piet at ten and at eleven, Jan, two without a contact, and the one after the test.
    assert company.stats(segment)["leads_generated"] == 6
    company.run(days=1)
    assert company.stats(segment)["leads_generated"] == 6, "the window's first minutes look at the evening before"


def test_double_posts_are_all_counted_where_the_adapter_says_so(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    for _ in range(2):
        company.lead(region="utrecht", email="piet@example.invalid")
    company.run()
    assert company.stats(segment)["leads_generated"] == 1
    text = (adapters.FOLDER / adapters.LEADS).read_text()
    start, end = text.index("    lower(coalesce"), text.index(" as contact\n    {%- endif")
    with psycopg.connect(company.db.owner_url, autocommit=True) as owner:  # what `make migrate` does
        adapters.follow(owner, lambda line: None, text[:start] + "    null::text" + text[end:])
    company.run()
    assert company.stats(segment)["leads_generated"] == 2


# Sources --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", ["", "Google Ads", "google-ads", "t.co", "https://x.example/?" + "q=é&" * 3000, "0", "🙂", None]
)
def test_the_companys_insert_is_never_refused_for_its_source(company: Company, source: str | None) -> None:
    import secrets

    segment = company.segment("schilder_utrecht")
    company.lead(region="utrecht", source_channel=source, source_campaign_id=source, source_keyword=source)
    company.lead(region="utrecht", source_channel=(source or "") + secrets.token_hex(6000))
    company.run()
    assert company.stats(segment)["leads_generated"] == 2


@pytest.mark.advice("lead_source_unknown", "leads_without_source")
def test_a_source_is_read_in_every_spelling_and_what_means_nothing_is_unknown_and_named(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    for source in ("Google Ads", "google-ads", "adwords", "google_ads", "Google\u00a0Ads"):
        company.lead(region="utrecht", source_channel=source)
    for source in ("SEO", "Organic", "direct", "", None, " ", "(not set)", "t.co", "T.co", "1und1"):
        company.lead(region="utrecht", source_channel=source)
    company.run()
    assert company.sources(segment) == {"google_ads": 5, "seo": 2, "direct": 1, "unknown": 7}
    found = company.open_findings("lead_source_unknown")
    assert set(found) == {"t-co", "1und1"} and "2 leads" in found["t-co"]
    assert company.open_findings("leads_without_source")
    company.explain("source_channel", "t.co", "twitter")
    company.explain("source_channel", "1und1", "email")
    company.db.fetch(
        "update leads set source_channel = 'seo' where coalesce(trim(source_channel), '') in ('', '(not set)')"
    )
    company.run()
    assert company.sources(segment) == {"google_ads": 5, "seo": 6, "direct": 1, "twitter": 2, "email": 1}
    assert not company.open_findings("lead_source_unknown") and not company.open_findings("leads_without_source")
    assert company.resolved("leads_without_source") == 1


def test_one_day_that_is_read_again_leaves_what_the_whole_window_found(company: Company) -> None:
    company.segment("schilder_utrecht")
    for days_ago in (1, 1, 9):
        company.lead(days_ago, region="atlantis")
    company.lead(9, region="utopia")
    company.run()
    found = company.open_findings("leads_without_segment")
    assert len(found) == 2 and any("3 leads" in detail for detail in found.values())
    company.run(days=1)
    assert company.open_findings("leads_without_segment") == found
    company.db.fetch("update leads set region = 'utrecht'")
    company.run()
    assert not company.open_findings("leads_without_segment")


# Times and segments that end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-28 23:30", "2026-03-28"),
        ("2026-03-29 00:30", "2026-03-29"),
        ("2026-03-29 02:30", "2026-03-29"),  # an hour that the clock never showed
        ("2026-03-29 23:59", "2026-03-29"),
        ("2026-10-25 02:30", "2026-10-25"),  # an hour that it showed twice
        ("2026-10-25 23:59:59", "2026-10-25"),
        ("2026-10-26 00:00", "2026-10-26"),
    ],
)
def test_a_column_without_a_time_zone_is_read_as_the_clock_in_amsterdam(
    company: Company, moment: str, day: str
) -> None:
    segment = company.segment("schilder_utrecht")
    company.db.fetch(
        "alter table leads alter created_at type timestamp using created_at at time zone 'Europe/Amsterdam'"
    )
    company.db.fetch("insert into leads (created_at, branch, region) values (%s, 'schilder', 'utrecht')", [moment])
    asked = date.fromisoformat(day)
    for step in STEPS:
        with psycopg.connect(company.db.pipeline_url) as connection:
            connection.execute("set timezone = 'America/Los_Angeles'")
            values = {"first": asked - timedelta(days=2), "last": asked + timedelta(days=2), "dag_run_id": "test"}
            values |= BOUND
            execute_step(connection, step, values)
    counted = company.db.fetch(
        "select date from lead_generation_stats where leads_generated > 0 and segment_id = %s", [segment]
    )
    assert [row["date"] for row in counted] == [asked]


def test_leads_of_a_segment_that_was_deactivated_still_settle(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    lead = company.lead(5, region="utrecht")
    late = company.lead(1, region="utrecht")
    company.run()
    assert company.stats(segment, 5)["leads_pending"] == 1
    company.db.fetch("update lead_segments set is_active = false where id = %s", [segment])
    company.db.fetch("update leads set status = 'accepted' where id = %s", [lead])
    new = company.lead(1, region="utrecht")
    company.run()
    stats = company.stats(segment, 5)
    assert (stats["leads_accepted"], stats["leads_pending"]) == (1, 0)
    assert company.stats(segment)["leads_generated"] == 1, "that of the day before it ended"
    assert company.segment_of(late) and company.segment_of(new) is None
    assert "no active segment" in next(iter(company.open_findings("leads_without_segment").values()))
    before = company.db.value("select max(updated_at) from channel_metrics")
    company.run()
    assert company.db.value("select max(updated_at) from channel_metrics") == before


def test_days_before_an_inactive_segment_had_leads_stay_without_a_row(company: Company) -> None:
    segment = company.segment("schilder_utrecht")
    company.db.fetch("update lead_segments set is_active = false where id = %s", [segment])
    company.run()
    assert not company.db.fetch("select from channel_metrics")
