"""The requests: streamed reads and writes of budgets, over the connection `google_ads_default`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.providers.google.ads.hooks.ads import GoogleAdsHook
from google.ads.googleads.errors import GoogleAdsException
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from lead_demand.channels.google_ads import answers
from lead_demand.channels.google_ads.messages import Message
from lead_demand.channels.paid import Outcome
from lead_demand.errors import SourceRefused, SourceUnavailable

API_VERSION = "v26"


class GoogleAdsBudgetHook(GoogleAdsHook):
    """GoogleAdsHook with streamed reads, budget writes, and Google's recommended direct service-account access.

    The provider's hook insists on `impersonated_email`, which Google calls optional, and has no way to write.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(api_version=API_VERSION, **kwargs)
        # A stream dies with "Channel deallocated" once its service client is collected, so each is kept.
        self._services: dict[str, Any] = {}

    def _determine_authentication_method(self) -> None:
        if self.google_ads_config.get("use_application_default_credentials"):
            self.authentication_method = "developer_token"
        elif self.google_ads_config.get("json_key_file_path"):
            self.authentication_method = "service_account"
        else:
            super()._determine_authentication_method()

    def service(self, name: str) -> Any:  # noqa: ANN401 - the client makes it by its name
        if name not in self._services:
            self._services[name] = self._get_client.get_service(name, version=API_VERSION)
        return self._services[name]

    def new(self, type_name: str) -> Any:  # noqa: ANN401 - likewise
        return self._get_client.get_type(type_name, version=API_VERSION)

    def rows(self, account: str, query: str, timeout: float = 300) -> Iterator[Message]:
        """Protobuf rows of a query, streamed. Raises SourceUnavailable or SourceRefused."""
        try:
            stream = self.service("GoogleAdsService").search_stream(customer_id=account, query=query, timeout=timeout)
            for batch in stream:
                yield from type(batch).pb(batch).results
        except (GoogleAdsException, GoogleAPICallError, GoogleAuthError) as error:
            raise _read_error(account, error) from error

    def set_amounts(
        self, account: str, amounts: Mapping[str, int], *, validate_only: bool, timeout: float = 60
    ) -> dict[str, Outcome]:
        """Send absolute amounts (micros) by budget resource name, each operation on its own feet."""
        request = self.new("MutateCampaignBudgetsRequest")
        request.customer_id, request.partial_failure, request.validate_only = account, True, validate_only
        for budget, micros in amounts.items():
            operation = self.new("CampaignBudgetOperation")
            operation.update.resource_name, operation.update.amount_micros = budget, micros
            operation.update_mask.paths.append("amount_micros")
            request.operations.append(operation)
        outcomes: dict[str, Outcome] = {}
        try:
            response = self.service("CampaignBudgetService").mutate_campaign_budgets(request=request, timeout=timeout)
            for budget, result in zip(amounts, response.results, strict=not validate_only):
                # Only a result that names the budget is a yes; whatever else was said must be read back.
                if result.resource_name == budget:
                    outcomes[budget] = Outcome(True)
            for detail in response.partial_failure_error.details:
                failure = answers.failure_type(API_VERSION).deserialize(detail.value)
                for error in failure.errors:
                    at = next(e.index for e in error.location.field_path_elements if e.field_name == "operations")
                    outcomes[list(amounts)[at]] = answers.outcome_of_error(error, failure.request_id)
        except Exception as failed:
            # Whatever it was becomes an outcome: what is unknown must be settled, not raised.
            unanswered = answers.outcome_of_exception(failed, API_VERSION)
            return {budget: outcomes.get(budget, unanswered) for budget in amounts}
        silent = Outcome(True) if validate_only else Outcome(None, "no_result", "the answer does not name this budget")
        return {budget: outcomes.get(budget, silent) for budget in amounts}

    def own_email(self, account: str) -> str | None:
        """The user that Google's change history shows for our own changes. Raises like a read of the account: the
        client asks for its first token here.
        """
        try:
            credentials = self._get_client.credentials
        except GoogleAuthError as error:
            raise _read_error(account, error) from error
        return getattr(credentials, "_subject", None) or getattr(credentials, "service_account_email", None)


def _read_error(account: str, error: Exception) -> SourceUnavailable | SourceRefused:
    outcome = answers.outcome_of_exception(error, API_VERSION)
    what = f"Google Ads account {account} could not be read: {outcome.error_code}: {outcome.detail}"
    if outcome.request_id:
        what += f" (request {outcome.request_id})"
    if outcome.retry_after is not None:
        return SourceUnavailable(f"{what.rstrip('.')}.")
    return SourceRefused(f"{what.rstrip('.')}.", todo=answers.advice(outcome.error_code))
