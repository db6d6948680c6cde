"""Every finding that a test of this room sees is one that its channel may raise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from lead_demand.channels import registry
from lead_demand.database import findings


@pytest.fixture(autouse=True)
def findings_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    record = findings.record

    def checked(connection: Any, found: Iterable[findings.Finding], looked_for: Sequence[findings.Checked] = ()) -> int:
        kept = list(found)
        for finding in kept:
            if finding.channel in registry.CHANNELS:
                assert finding.name in registry.CHANNELS[finding.channel].findings
        return record(connection, kept, looked_for)

    monkeypatch.setattr(findings, "record", checked)
