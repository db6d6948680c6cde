"""The protobuf messages of the Google Ads API that google-ads ships.

Messages are built as plain protobuf, which is many times faster than the proto-plus wrappers around it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

VERSION = "v26"
BASE = f"google.ads.googleads.{VERSION}"


class Message(Protocol):
    """A protobuf message of the API: which fields it has is known at run time only."""

    def __getattr__(self, field: str) -> Any: ...  # noqa: ANN401

    def __setattr__(self, field: str, value: object) -> None: ...


def _pb(module: str, name: str) -> Any:  # noqa: ANN401 - its module is known at run time
    """The protobuf class behind a proto-plus message of google-ads."""
    return getattr(import_module(f"{BASE}.{module}"), name).pb()


_ads, _budgets = "services.types.google_ads_service", "services.types.campaign_budget_service"
SearchRequest, SearchResponse = _pb(_ads, "SearchGoogleAdsRequest"), _pb(_ads, "SearchGoogleAdsResponse")
StreamRequest, StreamResponse = _pb(_ads, "SearchGoogleAdsStreamRequest"), _pb(_ads, "SearchGoogleAdsStreamResponse")
GoogleAdsRow = _pb(_ads, "GoogleAdsRow")
MutateRequest, MutateResponse = (_pb(_budgets, f"MutateCampaignBudgets{kind}") for kind in ("Request", "Response"))
MutateResult = _pb(_budgets, "MutateCampaignBudgetResult")
CampaignBudget = _pb("resources.types.campaign_budget", "CampaignBudget")
AccessibleRequest, AccessibleResponse = (
    _pb("services.types.customer_service", f"ListAccessibleCustomers{kind}") for kind in ("Request", "Response")
)
GoogleAdsFailure, GoogleAdsError = (_pb("errors.types.errors", f"GoogleAds{kind}") for kind in ("Failure", "Error"))
