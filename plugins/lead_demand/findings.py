"""What is wrong with data or set-up, in one form for every check, kept in `pipeline_findings`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from lead_demand import sql

if TYPE_CHECKING:
    import psycopg

Level = Literal["stop", "warn", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    `stop` needs a person, because what it names is not known or not believed; `warn` should be read by one; `info` is
    kept. `subject` names what has no key here: a campaign, an account, a page.
    """

    name: str
    level: Level
    detail: str
    remediation: str
    segment_id: str | None = None
    channel: str | None = None
    date: date | str | None = None
    subject: str | None = None
    evidence_date: date | str | None = None


def record(connection: psycopg.Connection[Any], findings: Iterable[Finding]) -> int:
    """Keep findings: a known one is seen again, a new one is added. Returns how many were given."""
    from psycopg.types.json import Jsonb

    rows = [asdict(finding) for finding in findings]
    if rows:
        statement = sql.render("findings/upsert_pipeline_findings.sql")
        connection.execute(statement, {"findings": Jsonb(rows, dumps=_dumps)})
    return len(rows)


def _dumps(rows: Any) -> str:
    return json.dumps(rows, default=str)  # a date in its ISO form


def log_lines(findings: Iterable[Finding], most: int = 20) -> list[str]:
    """One line a finding for a task's log, the worst first; the rest is counted, not lost: the table holds all."""
    rank = {"stop": 0, "warn": 1, "info": 2}
    ordered = sorted(findings, key=lambda finding: (rank[finding.level], finding.name, finding.subject or ""))
    lines = [f"{f.level.upper()} {f.name}: {f.detail} {f.remediation}" for f in ordered[:most]]
    if len(ordered) > most:
        lines.append(f"… and {len(ordered) - most} more in pipeline_findings")
    return lines
