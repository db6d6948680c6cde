"""Problems with data or set-up, in one form for every check, kept in `pipeline_findings`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from lead_demand.database import sql
from lead_demand.text import plain

if TYPE_CHECKING:
    import psycopg

Level = Literal["stop", "warn", "info"]
# Characters of a finding. Its subject is part of a key, and the pages of an index hold no more than 2,700 bytes of one.
LONGEST_DETAIL, LONGEST_SUBJECT = 4000, 400


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    `stop` needs a person, because what it names is not known or not believed; `warn` should be read by one; `info` is
    kept. `name` is a code of `planner/finding_codes.py`, and `remediation` its text. `subject` names what has no key
    here: a campaign, an account, a page. `evidence_date`, where there is no `date`: the newest day of data that shows
    it. `amount`: how much it is about, in EUR, leads or the unit that `detail` names; None = no amount.
    """

    name: str
    level: Level
    detail: str
    remediation: str
    segment_id: str | None = None
    channel: str | None = None
    evidence_date: date | str | None = None
    date: date | str | None = None
    subject: str | None = None
    amount: Decimal | None = None

    def __post_init__(self) -> None:
        """Names and words from outside become one line; a subject that is too long ends with what tells it apart."""
        object.__setattr__(self, "detail", plain(self.detail, LONGEST_DETAIL))
        object.__setattr__(self, "remediation", plain(self.remediation, LONGEST_DETAIL))
        if self.subject is not None:
            subject = plain(self.subject)
            if len(subject) > LONGEST_SUBJECT:
                digest = sha256(self.subject.encode("utf-8", "surrogatepass")).hexdigest()[:12]
                subject = f"{subject[:LONGEST_SUBJECT]}…{digest}"
            object.__setattr__(self, "subject", subject)


@dataclass(frozen=True)
class Checked:
    """What a check looked for: its findings of that name that are open and were not found again are closed.

    `channel` and `account` narrow it (an account's findings have it as their `subject`, or as the part before the
    first slash); a finding of a day, or with an `evidence_date`, is covered where that lies in `first` to `last`.
    """

    name: str
    channel: str | None = None
    account: str | None = None
    first: date | str | None = None
    last: date | str | None = None


def record(connection: psycopg.Connection[Any], findings: Iterable[Finding], checked: Sequence[Checked] = ()) -> int:
    """Keep findings: a known one is seen again, a new one is added, one that was looked for and is gone is closed.

    Returns how many were given.
    """
    rows, looked_for = [asdict(finding) for finding in findings], [asdict(scope) for scope in checked]
    if rows or looked_for:
        statement = sql.render("findings/upsert_pipeline_findings.sql")
        values = {"findings": sql.as_json(rows), "checked": sql.as_json(looked_for)}
        connection.execute(statement, values)
    return len(rows)


def log_lines(findings: Iterable[Finding], most: int = 20) -> list[str]:
    """One line per finding for a task's log, the worst first; the rest is counted, not lost: the table holds all."""
    rank = {"stop": 0, "warn": 1, "info": 2}
    ordered = sorted(findings, key=lambda finding: (rank[finding.level], finding.name, finding.subject or ""))
    lines = [f"{f.level.upper()} {f.name}: {f.detail} {f.remediation}" for f in ordered[:most]]
    if len(ordered) > most:
        lines.append(f"… and {len(ordered) - most} more in pipeline_findings")
    return lines


def lines_since(connection: psycopg.Connection[Any], since: datetime) -> list[str]:
    """Likewise of the open findings that were seen since then, from the table."""
    rows = connection.execute(sql.render("findings/select_pipeline_findings.sql"), {"since": since}).fetchall()
    found = [f"{level.upper()} {name}: {detail} {remediation}" for name, level, detail, remediation, _ in rows]
    if rows and rows[0][-1] > len(rows):
        found.append(f"… and {rows[0][-1] - len(rows)} more in pipeline_findings")
    return found
