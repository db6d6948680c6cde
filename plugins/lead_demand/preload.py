"""What tasks import, for a process that loads it once and forks for each task.

Some 4 seconds of imports (pandas, the Google Ads types) for each of the 30 tasks of a morning. Importing opens no
connection and starts no thread, so that forking afterwards is safe.
"""

from contextlib import suppress
from importlib import import_module

HEAVY = (
    "pandas",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.google.ads.hooks.ads",
    "airflow.providers.google.common.hooks.discovery_api",
    "google.ads.googleads.v26.services.services.google_ads_service",
    "google.ads.googleads.v26.services.services.campaign_budget_service",
    "lead_demand.channels.google_ads.channel",
    "lead_demand.planner",
)


def load() -> None:
    """Import what tasks need."""
    for name in HEAVY:
        with suppress(ImportError):  # then the task that needs it says what is wrong
            import_module(name)
