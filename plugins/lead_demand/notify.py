"""Messages to people, through Apprise: mail, Slack, Teams and the like, whatever the connection names."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

log = logging.getLogger("lead_demand")

CONNECTION = "lead_demand_alerts"
# Tags of the services in the connection: who is on call gets `alerts`, marketing gets `digest`.
Audience = Literal["alerts", "digest"]


def send(audience: Audience, subject: str, lines: Sequence[str]) -> bool:
    """Send one message to every service of that tag. Returns whether all of them took it; never raises.

    Without the connection, or without a service of that tag, it says so in the log and sends nothing.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return _send(audience, subject, lines)
    except AirflowNotFoundException:
        log.warning("Not sent, because there is no connection %s: %s", CONNECTION, subject)
    except Exception as error:
        # Its text may hold an address with a password.
        log.error("Not sent, because connection %s is not usable (%s): %s", CONNECTION, type(error).__name__, subject)
    return False


def _send(audience: Audience, subject: str, lines: Sequence[str]) -> bool:
    import apprise
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from airflow.sdk.log import redact

    hook = AppriseHook(CONNECTION)
    connection = hook.get_connection(CONNECTION)
    _hide(hook.get_config_from_conn(connection))
    services = apprise.Apprise()
    hook.set_config_from_conn(connection, services)
    if not list(services.find(tag=audience)):
        log.warning("Not sent, because connection %s has no service tagged %s: %s", CONNECTION, audience, subject)
        return False
    body = str(redact("\n".join(lines)))
    sent = bool(services.notify(body=body, title=str(redact(subject)), body_format="text", tag=audience))
    if sent:
        log.info("Sent to %s: %s", audience, subject)
    else:
        log.error("Not delivered to everybody of %s; see the lines above: %s", audience, subject)
    return sent


def _hide(config: Any) -> None:
    """Airflow masks passwords of connections; these stand inside addresses, where it does not look for them."""
    from airflow.sdk.log import mask_secret

    for service in config if isinstance(config, list) else [config]:
        address = str(service["path"])
        mask_secret(address)
        if password := urlsplit(address).password:
            mask_secret(password)
            mask_secret(unquote(password))
