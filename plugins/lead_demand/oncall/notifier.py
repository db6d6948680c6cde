"""Messages to people, through Apprise: mail, Slack, Teams and the like, whatever the connection names."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from lead_demand.oncall import redaction
from lead_demand.text import plain

log = logging.getLogger("lead_demand")

CONNECTION = "lead_demand_alerts"
# Tags of the services in the connection: who is on call gets `alerts`, marketing gets `digest`.
Audience = Literal["alerts", "digest"]
# As Apprise has it: services show it by a colour, a symbol or a priority.
Severity = Literal["failure", "warning", "info"]


def send(audience: Audience, subject: str, lines: Sequence[str], severity: Severity = "info") -> str | None:
    """Send one message to every service of that tag. Returns None once all of them took it, else why not in words; an
    address that cannot be read is left out, and named in the log. Never raises: a message that cannot be sent is no
    reason to fail.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return _send(audience, subject, lines, severity)
    except AirflowNotFoundException:
        return f"there is no connection {CONNECTION}"
    except Exception as error:
        # Its text may hold an address with a password.
        return f"the connection {CONNECTION} is not usable ({type(error).__name__})"


def _send(audience: Audience, subject: str, lines: Sequence[str], severity: Severity) -> str | None:
    import apprise
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from airflow.sdk.log import mask_secret, redact
    from apprise.utils.parse import parse_list

    hook = AppriseHook(CONNECTION)
    config = hook.get_config_from_conn(hook.get_connection(CONNECTION))
    entries = config if isinstance(config, list) else [config]
    addresses = [str(entry["path"]) for entry in entries]
    for secret in (secret for address in addresses for secret in redaction.secrets(address)):
        mask_secret(secret)  # Airflow masks the password of a connection; these stand inside addresses
    with redaction.hidden_in_logs(addresses):
        services, refused = apprise.Apprise(), []
        for number, (entry, address) in enumerate(zip(entries, addresses, strict=True), 1):
            tags = entry.get("tag") or []
            if not services.add(address, tag=tags) and audience in parse_list(tags):  # type: ignore[no-untyped-call]
                refused.append(f"address {number}")
        if not list(services.find(tag=audience)):
            why_not = f"the connection {CONNECTION} has no service tagged {audience}"
            return f"{why_not} that can be read: see its {', '.join(refused)}" if refused else why_not
        # Each line is one line, whatever a name or an API's words in it say.
        body = str(redact("\n".join(plain(line, keep_blanks=True) for line in lines)))
        took = services.notify(
            body=body,
            title=str(redact(plain(subject))),
            notify_type=apprise.NotifyType(severity),
            body_format="text",
            tag=audience,
        )
    if not took:
        return f"a service tagged {audience} of the connection {CONNECTION} did not take it"
    if refused:  # it reached somebody, so this message is not sent again
        what = ", ".join(refused)
        log.error("%s of the connection %s cannot be read: it notifies nobody. Correct it.", what, CONNECTION)
    return None
