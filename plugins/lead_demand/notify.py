"""Messages to people, through Apprise: mail, Slack, Teams and the like, whatever the connection names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from lead_demand.outside import plain

CONNECTION = "lead_demand_alerts"
# Tags of the services in the connection: who is on call gets `alerts`, marketing gets `digest`.
Audience = Literal["alerts", "digest"]


def send(audience: Audience, subject: str, lines: Sequence[str]) -> str | None:
    """Send one message to every service of that tag. Returns None once all of them took it, else why not in words;
    never raises: a message that cannot be sent is no reason to fail.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return _send(audience, subject, lines)
    except AirflowNotFoundException:
        return f"there is no connection {CONNECTION}"
    except Exception as error:
        # Its text may hold an address with a password.
        return f"the connection {CONNECTION} is not usable ({type(error).__name__})"


def _send(audience: Audience, subject: str, lines: Sequence[str]) -> str | None:
    import apprise
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from airflow.sdk.log import redact

    hook = AppriseHook(CONNECTION)
    connection = hook.get_connection(CONNECTION)
    _hide(hook.get_config_from_conn(connection))
    services = apprise.Apprise()
    hook.set_config_from_conn(connection, services)
    if not list(services.find(tag=audience)):
        return f"the connection {CONNECTION} has no service tagged {audience}"
    # Each line is one line, whatever a name or an API's words in it say.
    body = str(redact("\n".join(plain(line, keep_blanks=True) for line in lines)))
    if services.notify(body=body, title=str(redact(plain(subject))), body_format="text", tag=audience):
        return None
    return f"a service tagged {audience} of the connection {CONNECTION} did not take it"


def _hide(config: Any) -> None:
    """Airflow masks passwords of connections; these stand inside addresses, where it does not look for them."""
    from airflow.sdk.log import mask_secret

    for service in config if isinstance(config, list) else [config]:
        address = str(service["path"])
        mask_secret(address)
        if password := urlsplit(address).password:
            mask_secret(password)
            mask_secret(unquote(password))
