"""Google Ads through the unmodified GoogleAdsHook: reading, changing, and what the API refuses."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from google.ads.googleads.errors import GoogleAdsException

from sandbox.google import ads, messages, resources
from sandbox.google.query import METRICS
from sandbox.world import catalogue
from sandbox.world.state import State
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.google.clients import (
    PAINTERS,
    ROOFERS,
    SCHILDER_NOORD_BRABANT,
    SCHILDER_UTRECHT,
    codes,
    mutate,
    search,
    stream,
)

EURO = 1_000_000
BRAND = 20000001013  # rests on Sundays


def test_campaigns_of_both_customers(clean_sandbox: Sandbox) -> None:
    rows = search(
        "SELECT campaign.id, campaign.name, campaign.primary_status_reasons, campaign.bidding_strategy_system_status, "
        "campaign_budget.resource_name, campaign_budget.amount_micros, campaign_budget.explicitly_shared, "
        "campaign_budget.reference_count, campaign_budget.type, customer.currency_code, customer.time_zone "
        "FROM campaign WHERE campaign.status != 'REMOVED' ORDER BY campaign.id"
    )
    assert len(rows) == 13
    by_name = {row.campaign.name: row for row in rows}
    first = by_name["NL | schilder_noord_brabant | search"]
    assert first.campaign_budget.resource_name == SCHILDER_NOORD_BRABANT
    assert first.customer.currency_code == "EUR" and first.customer.time_zone == "Europe/Amsterdam"
    limited = search(
        "SELECT campaign.id FROM campaign WHERE campaign.primary_status_reasons CONTAINS ANY ('BUDGET_CONSTRAINED')"
    )
    assert {row.campaign.id for row in rows} == {row.campaign.id for row in limited}
    shared = {row.campaign.name for row in rows if row.campaign_budget.explicitly_shared}
    assert shared == {"NL | dakdekker_overijssel | search", "NL | dakdekker_zeeland | search"}
    assert {row.campaign_budget.reference_count for row in rows} == {1, 2}
    learning = by_name["NL | schilder_noord_holland | search"].campaign
    enum = learning.DESCRIPTOR.fields_by_name["bidding_strategy_system_status"].enum_type
    assert enum.values_by_number[learning.bidding_strategy_system_status].name == "LEARNING_BUDGET_CHANGE"


def test_the_manager_knows_its_customers(clean_sandbox: Sandbox) -> None:
    rows = search("SELECT customer_client.id, customer_client.manager FROM customer_client", "9999999999")
    assert {(row.customer_client.id, row.customer_client.manager) for row in rows} == {
        (9999999999, True),
        (int(PAINTERS), False),
        (int(ROOFERS), False),
    }


def test_the_billable_unit_of_the_euro(clean_sandbox: Sandbox) -> None:
    query = "SELECT currency_constant.billable_unit_micros FROM currency_constant WHERE currency_constant.code = 'EUR'"
    assert [row.currency_constant.billable_unit_micros for row in search(query, PAINTERS)] == [10_000]


def test_rows_without_any_metric_are_left_out_only_when_the_date_is_selected(clean_sandbox: Sandbox) -> None:
    yesterday = clean_sandbox.today() - timedelta(days=1)
    sunday = yesterday - timedelta(days=(yesterday.weekday() + 1) % 7)
    where = f"FROM campaign WHERE segments.date = '{sunday}' AND campaign.id = {BRAND}"
    assert search(f"SELECT campaign.id, segments.date, metrics.cost_micros {where}", ROOFERS) == []
    (kept,) = search(f"SELECT campaign.id, metrics.cost_micros {where}", ROOFERS)
    assert kept.metrics.cost_micros == 0


def test_metrics_of_days_add_up_and_end_yesterday(clean_sandbox: Sandbox) -> None:
    today = clean_sandbox.today()
    span = f"segments.date BETWEEN '{today - timedelta(days=7)}' AND '{today}'"
    selected = "metrics.cost_micros, metrics.clicks, metrics.conversions, metrics.search_budget_lost_impression_share"
    daily = stream(
        f"SELECT campaign.id, segments.date, {selected} FROM campaign WHERE {span} AND campaign.id = 20000001001"
    )
    (total,) = search(f"SELECT {selected} FROM campaign WHERE {span} AND campaign.id = 20000001001", PAINTERS)
    assert [row.segments.date for row in daily] == [str(today - timedelta(days=n)) for n in range(7, 0, -1)]
    assert sum(row.metrics.cost_micros for row in daily) == total.metrics.cost_micros
    assert sum(row.metrics.conversions for row in daily) == total.metrics.conversions
    assert all(0 < row.metrics.search_budget_lost_impression_share <= 0.9001 for row in daily)
    (customer,) = search(f"SELECT metrics.cost_micros FROM customer WHERE {span}", PAINTERS)
    assert customer.metrics.cost_micros > total.metrics.cost_micros


def test_conversions_are_the_leads_of_the_company(clean_sandbox: Sandbox) -> None:
    yesterday = clean_sandbox.today() - timedelta(days=1)
    rows = search(f"SELECT metrics.conversions FROM campaign WHERE segments.date = '{yesterday}'")
    leads = clean_sandbox.company(yesterday, yesterday)["leads"]
    known = sum(source == "google_ads" for source in leads["source_channel"])
    lost = sum(source is None for source in leads["source_channel"])
    assert known <= sum(row.metrics.conversions for row in rows) <= known + lost


def test_a_change_is_applied_and_visible(clean_sandbox: Sandbox) -> None:
    wanted = clean_sandbox.budgets()[SCHILDER_UTRECHT] + 5 * EURO
    response = mutate({SCHILDER_UTRECHT: wanted})
    assert [result.resource_name for result in response.results] == [SCHILDER_UTRECHT]
    assert clean_sandbox.budgets()[SCHILDER_UTRECHT] == wanted
    (row,) = search(
        "SELECT campaign_budget.resource_name, campaign_budget.amount_micros FROM campaign_budget "
        f"WHERE campaign_budget.resource_name IN ('{SCHILDER_UTRECHT}')",
        PAINTERS,
    )
    assert row.campaign_budget.amount_micros == wanted


def changes(since: date, until: date, customer: str = PAINTERS) -> list[tuple[str, str, int, int]]:
    rows = search(
        "SELECT change_event.user_email, change_event.change_resource_name, change_event.changed_fields, "
        "change_event.old_resource, change_event.new_resource, change_event.change_date_time FROM change_event "
        f"WHERE change_event.change_date_time >= '{since}' AND change_event.change_date_time <= '{until}' "
        "AND change_event.change_resource_type = 'CAMPAIGN_BUDGET' "
        "ORDER BY change_event.change_date_time DESC LIMIT 1000",
        customer,
    )
    return [
        (
            event.user_email,
            event.change_resource_name,
            event.old_resource.campaign_budget.amount_micros,
            event.new_resource.campaign_budget.amount_micros,
        )
        for event in (row.change_event for row in rows)
    ]


def test_who_changed_what(clean_sandbox: Sandbox) -> None:
    today, marketing = clean_sandbox.today(), catalogue.MARKETING_USER
    tomorrow = today + timedelta(days=1)
    lately = changes(today - timedelta(days=3), tomorrow, ROOFERS)
    assert lately == [(marketing, f"customers/{ROOFERS}/campaignBudgets/30000002008", 120 * EURO, 130 * EURO)]
    old = clean_sandbox.budgets()[SCHILDER_UTRECHT]
    mutate({SCHILDER_UTRECHT: old + EURO})
    clean_sandbox.set_budget(SCHILDER_UTRECHT, old + 2 * EURO, user="someone@vakwerkgids.example")
    mutate({SCHILDER_UTRECHT: old + 2 * EURO})  # already in force: no event
    assert changes(today, tomorrow)[:2] == [
        ("someone@vakwerkgids.example", SCHILDER_UTRECHT, old + EURO, old + 2 * EURO),
        (catalogue.PIPELINE_USER, SCHILDER_UTRECHT, old, old + EURO),
    ]


@pytest.mark.parametrize(
    ("micros", "code"),
    [
        (-EURO, "NEGATIVE_MONEY_AMOUNT"),
        (10_005_000, "NON_MULTIPLE_OF_MINIMUM_CURRENCY_UNIT"),
        (10**14, "MONEY_AMOUNT_TOO_LARGE"),
        (0, "BUDGET_BELOW_PER_DAY_MINIMUM"),
    ],
)
def test_wrong_amounts_are_refused(clean_sandbox: Sandbox, micros: int, code: str) -> None:
    before = clean_sandbox.budgets()
    with pytest.raises(GoogleAdsException) as error:
        mutate({SCHILDER_UTRECHT: micros}, partial_failure=False)
    assert codes(error.value.failure) == [f"campaign_budget_error.{code}"]
    assert error.value.request_id.startswith("sandbox-")
    assert clean_sandbox.budgets() == before


def test_one_bad_operation_spoils_no_other(clean_sandbox: Sandbox) -> None:
    before = clean_sandbox.budgets()
    wanted = before[SCHILDER_UTRECHT] + EURO
    response = mutate({SCHILDER_NOORD_BRABANT: 1, SCHILDER_UTRECHT: wanted})
    (detail,) = response.partial_failure_error.details
    failure = messages.GoogleAdsFailure.FromString(detail.value)
    assert [element.index for element in failure.errors[0].location.field_path_elements][:1] == [0]
    assert [result.resource_name for result in response.results] == ["", SCHILDER_UTRECHT]
    assert clean_sandbox.budgets() == {**before, SCHILDER_UTRECHT: wanted}


def test_validate_only_changes_nothing(clean_sandbox: Sandbox) -> None:
    before = clean_sandbox.budgets()
    assert not mutate({SCHILDER_UTRECHT: 77 * EURO}, validate_only=True).results
    assert clean_sandbox.budgets() == before


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT campaign.nonsense FROM campaign", "query_error.UNRECOGNIZED_FIELD"),
        ("SELECT campaign.optimization_score FROM campaign", "query_error.UNRECOGNIZED_FIELD"),
        ("SELECT metrics.video_views FROM campaign", "query_error.UNRECOGNIZED_FIELD"),
        ("SELECT campaign.id, segments.date FROM campaign", "query_error.EXPECTED_FILTERS_ON_DATE_RANGE"),
        ("SELECT ad_group.id FROM ad_group", "query_error.BAD_RESOURCE_TYPE_IN_FROM_CLAUSE"),
        ("SELECT change_event.user_email FROM change_event LIMIT 5", "change_event_error.CHANGE_DATE_RANGE_INFINITE"),
        (
            "SELECT change_event.user_email FROM change_event WHERE change_event.change_date_time DURING LAST_7_DAYS",
            "change_event_error.LIMIT_NOT_SPECIFIED",
        ),
        (
            "SELECT change_event.user_email FROM change_event WHERE change_event.change_date_time >= '2020-01-01' "
            "AND change_event.change_date_time <= '2020-02-01' LIMIT 5",
            "change_event_error.START_DATE_TOO_OLD",
        ),
    ],
)
def test_queries_that_google_ads_refuses(clean_sandbox: Sandbox, query: str, code: str) -> None:
    with pytest.raises(GoogleAdsException) as error:
        search(query, PAINTERS)
    assert codes(error.value.failure) == [code]


def test_strangers_are_refused(clean_sandbox: Sandbox) -> None:
    with pytest.raises(GoogleAdsException) as error:
        search("SELECT customer.id FROM customer", "5555555555")
    assert codes(error.value.failure) == ["authorization_error.USER_PERMISSION_DENIED"]
    with pytest.raises(GoogleAdsException) as error:
        mutate({f"customers/{PAINTERS}/campaignBudgets/1": EURO}, partial_failure=False)
    assert codes(error.value.failure) == ["mutate_error.RESOURCE_NOT_FOUND"]


def test_a_long_answer_comes_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process and without a port: only the paging is of interest."""
    monkeypatch.setattr(ads, "PAGE", 3)
    server = ads.AdsServer(State(tmp_path))
    request = messages.SearchRequest(customer_id=PAINTERS, query="SELECT campaign.id FROM campaign")
    seen, pages = [], 0
    while True:
        answer = server._search(request, None, "r")
        seen += [row.campaign.id for row in answer.results]
        pages += 1
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert pages == 3 and len(seen) == len(set(seen)) == answer.total_results_count == 7


def test_every_field_that_is_served_can_be_sent(tmp_path: Path) -> None:
    """Names of fields and enum values are those of the shipped messages; in this process, as only the rows matter."""
    state = State(tmp_path)
    server = ads.AdsServer(state)
    where = {
        "campaign": " WHERE segments.date DURING YESTERDAY",
        "change_event": f" WHERE change_event.change_date_time >= '{state.today() - timedelta(days=20)}'"
        f" AND change_event.change_date_time <= '{state.today()}' LIMIT 9",
    }
    for resource, entities in resources.RESOURCES.items():
        row = next(entities(state, PAINTERS)).row
        fields = [f"{name}.{field}" for name, values in row.items() for field in values]
        if resource == "campaign":
            fields += ["segments.date", *(f"metrics.{name}" for name in METRICS)]
        query = f"SELECT {', '.join(fields)} FROM {resource}{where.get(resource, '')}"
        assert server._search(messages.SearchRequest(customer_id=PAINTERS, query=query), None, "r").results, resource


def test_every_call_is_recorded(clean_sandbox: Sandbox) -> None:
    search("SELECT customer.id FROM customer", PAINTERS)
    (call,) = clean_sandbox.calls("Search")
    assert call["customer_id"] == PAINTERS and call["login_customer_id"] == "9999999999"
    assert call["query"] == "SELECT customer.id FROM customer"
