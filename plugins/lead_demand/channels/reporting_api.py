"""The hook that Search Console and GA4 share: Google's discovery client over the connection `google_reporting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.google.common.hooks.discovery_api import GoogleDiscoveryApiHook
from google.auth.exceptions import GoogleAuthError
from googleapiclient.errors import HttpError
from httplib2 import HttpLib2Error

from lead_demand.channels.google_token import no_token
from lead_demand.errors import SourceRefused, SourceUnavailable

if TYPE_CHECKING:
    from google.api_core.client_options import ClientOptions

CONNECTION = "google_reporting"
UNCHANGED = "Nothing was written: its rows keep their earlier values. No budget waits for it."
_TRY_AGAIN = {408, 429, 500, 502, 503, 504}


class ReportingApiHook(GoogleDiscoveryApiHook):
    """GoogleDiscoveryApiHook that honours `api_endpoint` in the connection's extra and says what an error means.

    The client's description of each API ships with the library, so no discovery document is fetched.
    """

    def __init__(self, api_service_name: str, api_version: str) -> None:
        super().__init__(api_service_name, api_version, gcp_conn_id=CONNECTION)

    def get_client_options(self, api_endpoint_override: str | None = None) -> ClientOptions:
        return super().get_client_options(api_endpoint_override or self._get_field("api_endpoint"))

    def call(self, endpoint: str, data: dict[str, Any], subject: str) -> dict[str, Any]:
        """One request. Raises SourceUnavailable where a later try may succeed, SourceRefused where a person is
        needed.
        """
        try:
            answer: dict[str, Any] = self.query(endpoint, data, num_retries=2)
            return answer
        except HttpError as error:
            what = f"{subject} answered {error.status_code}: {str(error.reason).rstrip('.')}"
            if error.status_code in _TRY_AGAIN:
                raise SourceUnavailable(f"{what}.", unchanged=UNCHANGED) from error
            raise SourceRefused(
                f"{what}.",
                unchanged=UNCHANGED,
                todo=f"Check that the service account may read {subject}, and the scope in the connection "
                f"{CONNECTION}.",
            ) from error
        except HttpLib2Error as error:
            raise SourceUnavailable(f"{subject} could not be reached: {error}.", unchanged=UNCHANGED) from error
        except GoogleAuthError as error:
            said, heals = no_token(error)
            what = f"{subject}: no access token ({said})."
            if heals:
                raise SourceUnavailable(what, unchanged=UNCHANGED) from error
            raise SourceRefused(
                what,
                unchanged=UNCHANGED,
                todo=f"Renew the key of the connection {CONNECTION}.",
            ) from error
