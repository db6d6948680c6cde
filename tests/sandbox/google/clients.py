"""The real clients, pointed at the sandbox by Airflow Connections and nothing else."""

from typing import Any

from airflow.providers.google.ads.hooks.ads import GoogleAdsHook
from airflow.providers.google.common.hooks.discovery_api import GoogleDiscoveryApiHook

PAINTERS, ROOFERS = "1234567890", "2345678901"
SCHILDER_NOORD_BRABANT = f"customers/{PAINTERS}/campaignBudgets/30000002001"
SCHILDER_UTRECHT = f"customers/{PAINTERS}/campaignBudgets/30000002002"


def search(query: str, *customers: str) -> list[Any]:
    """Rows of a query over some customers, by default over both; with the unmodified hook."""
    return GoogleAdsHook(api_version="v26").search(list(customers or (PAINTERS, ROOFERS)), query)


def stream(query: str, customer: str = PAINTERS) -> list[Any]:
    """The same over SearchStream."""
    service = GoogleAdsHook(api_version="v26")._get_client.get_service("GoogleAdsService", version="v26")
    return [row for batch in service.search_stream(customer_id=customer, query=query) for row in batch.results]


def mutate(
    amounts: dict[str, int], *, validate_only: bool = False, partial_failure: bool = True, timeout: float = 20
) -> Any:
    """Send absolute amounts in micros; all budgets of one customer."""
    client = GoogleAdsHook(api_version="v26")._get_client
    request = client.get_type("MutateCampaignBudgetsRequest", version="v26")
    request.customer_id = next(iter(amounts)).split("/")[1]
    request.validate_only, request.partial_failure = validate_only, partial_failure
    for name, micros in amounts.items():
        operation = client.get_type("CampaignBudgetOperation", version="v26")
        operation.update.resource_name, operation.update.amount_micros = name, micros
        operation.update_mask.paths.append("amount_micros")
        request.operations.append(operation)
    service = client.get_service("CampaignBudgetService", version="v26")
    return service.mutate_campaign_budgets(request=request, timeout=timeout)


def codes(failure: Any) -> list[str]:
    """The error codes of a GoogleAdsFailure, as ``field.VALUE``."""
    found = []
    for error in failure.errors:
        message = type(error.error_code).pb(error.error_code)
        kind = message.WhichOneof("error_code")
        found.append(f"{kind}.{getattr(error.error_code, kind).name}")
    return found


class ReportingHook(GoogleDiscoveryApiHook):
    """The discovery hook with the endpoint of its connection, as production code has it."""

    def __init__(self, service: str, version: str) -> None:
        super().__init__(service, version, gcp_conn_id="google_reporting")

    def get_client_options(self, api_endpoint_override: str | None = None) -> Any:
        return super().get_client_options(api_endpoint_override or self._get_field("api_endpoint"))


def search_console(**body: Any) -> dict[str, Any]:
    hook = ReportingHook("searchconsole", "v1")
    return hook.query("searchconsole.searchanalytics.query", {"siteUrl": "sc-domain:vakwerkgids.example", "body": body})


def run_report(**body: Any) -> dict[str, Any]:
    hook = ReportingHook("analyticsdata", "v1beta")
    return hook.query("analyticsdata.properties.runReport", {"property": "properties/345678901", "body": body})
