"""Large increases: one question to a person a run, and what becomes of each answer.

An increase above `approval_threshold` is not sent with the others. It waits for an answer in Airflow until
`approval_deadline`; no answer, or a later one, is a no. Each change gets its row in the log, with who decided; under
the kill switch and in a dry run an approved one gets none, and the next run asks again.

Nothing that a user of Airflow can edit is believed: no XCom, no state of a task. What was shown is kept in
`approval_questions`, and so is the answer, as Airflow hands it to the very task instance that asked: it copies its
record of the question (`hitl_detail`) in the transaction that stores the response, and only the asking task can read
that record. Without an answer in there nothing is approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lead_demand import channels, database
from lead_demand.budgets import protocol
from lead_demand.budgets.changes import ChangeReport, raise_for
from lead_demand.budgets.hitl_record import APPROVE, LEAVE_OUT
from lead_demand.database import sql
from lead_demand.database.settings import read_switches
from lead_demand.errors import AnswerUnusable
from lead_demand.runs import day
from lead_demand.text import euros

if TYPE_CHECKING:
    import psycopg

REJECTED, EXPIRED = "approval_rejected", "approval_expired"
LIMIT_CHANGES_SHOWN = 20


@dataclass(frozen=True)
class LargeChange:
    """One increase that waits. Money in EUR a day, leads in generated leads a day."""

    decision_id: str
    segment: str
    old_budget: Decimal
    new_budget: Decimal
    expected: Decimal | None
    target: Decimal | None
    sentence: str


def waiting(name: str) -> list[LargeChange]:
    """Today's increases that wait for a person, the largest first."""
    with database.connect() as connection:
        rows = connection.execute(sql.render("lead_budgets/select_large_changes.sql"), {"channel": name}).fetchall()
    return [LargeChange(*row) for row in rows]


@dataclass(frozen=True)
class Question:
    """What the form shows. `deadline`: the last moment for an answer; `approvers`: user ids of Airflow, empty =
    everybody who may answer.
    """

    subject: str
    body: str
    deadline: datetime
    changes: tuple[LargeChange, ...]
    approvers: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What Airflow's record says of the last question of a run, and the increases that it showed.

    :param shown: decision id -> segment code.
    :param form: the fields of the form as they were given, whatever they are.
    :param responder_id: None = nobody answered in time.
    """

    shown: Mapping[str, str]
    chosen: Sequence[str]
    form: Any
    responder_id: str | None
    responder_name: str | None
    responded_at: datetime | None

    @property
    def who(self) -> str | None:
        """As the log names them: a name may be anybody's choice, an id is not."""
        if self.responder_name in (None, self.responder_id):
            return self.responder_id
        return f"{self.responder_name} ({self.responder_id})"


def deadline(now: datetime | None = None) -> datetime:
    """Today's last moment for an answer, by the settings as they are now. One that cannot be read is now; settings
    that cannot be read let nothing be sent either.
    """
    now = now or datetime.now(tz=day.AMSTERDAM)
    with database.connect() as connection:
        until = read_switches(connection).approval_deadline
    return now if until is None else datetime.combine(day.today(now), until, tzinfo=day.AMSTERDAM)


def question(name: str) -> Question | None:
    """What there is to ask, from the database as it is now; None where no increase waits."""
    changes = waiting(name)
    if not changes:
        return None
    until = deadline()
    with database.connect() as connection:
        approvers = read_switches(connection).approvers
        limits = _limit_changes(connection)
    total = sum((change.new_budget - change.old_budget for change in changes), Decimal(0))
    table = [
        "| segment | now | proposed | step | expected leads | target | why |",
        "|---|--:|--:|--:|--:|--:|---|",
        *(
            f"| {change.segment} | {euros(change.old_budget)} | **{euros(change.new_budget)}** "
            f"| +{euros(change.new_budget - change.old_budget)} | {_leads(change.expected)} "
            f"| {_leads(change.target)} | {_cell(change.sentence)} |"
            for change in changes
        ),
    ]
    rules = (
        f"**Approve** sends them at once, except the segments under *Leave out*. **Reject**, or no answer by "
        f"{until:%H:%M} today, leaves every budget in this list as it is. The smaller changes of this morning do not "
        "wait for this."
    )
    people = f"Only these may answer: {', '.join(map(_cell, approvers))}." if approvers else ""
    return Question(
        subject=f"{len(changes)} large budget increase(s), together +{euros(total)} a day",
        body="\n".join([*table, "", rules, *(["", people] if people else []), *limits]),
        deadline=until,
        changes=tuple(changes),
        approvers=approvers,
    )


def ask(asked: Question, name: str, question_id: str, dag_run_id: str) -> bool:
    """Keep what is about to be shown, under Airflow's id of the task instance that shows it. False where the run's last
    question was about exactly this and has its answer, which counts: Airflow may try the task again all the same, under
    a new id, and nobody is to be asked twice.

    Raises AnswerUnusable where that task instance has shown something else before.
    """
    from psycopg.types.json import Jsonb

    shown = [
        {
            "decision_id": change.decision_id,
            "segment": change.segment,
            "old_budget": str(change.old_budget),
            "new_budget": str(change.new_budget),
        }
        for change in asked.changes
    ]
    key = {"question_id": question_id, "channel": name, "dag_run_id": dag_run_id}
    with database.connect() as connection:
        kept = _last_question(connection, name, dag_run_id)
        if kept is not None and kept["is_answered"] and kept["asked"] == shown:
            return False
        connection.execute(sql.render("lead_budgets/insert_approval_question.sql"), key | {"asked": Jsonb(shown)})
        kept = _last_question(connection, name, dag_run_id)
    if kept is None or str(kept["id"]) != question_id or kept["asked"] != shown:
        raise AnswerUnusable(f"Task instance {question_id} of run {dag_run_id} has asked another question before.")
    return True


def record(question_id: str, response: Mapping[str, Any]) -> bool:
    """Keep what Airflow's record says of the answer to a question. False where an answer is kept already, which stays.

    :param response: Airflow's own: `chosen_options`, `params_input`, `responded_by_user` (None = the deadline
        decided), `responded_at`.
    """
    from psycopg.types.json import Jsonb

    user = response.get("responded_by_user") or {}
    values = {
        "question_id": question_id,
        "chosen": list(response["chosen_options"]),
        "form": Jsonb(response.get("params_input")),
        "responder_id": user.get("id"),
        "responder_name": user.get("name"),
        "responded_at": response.get("responded_at"),
    }
    with database.connect() as connection:
        return connection.execute(sql.render("lead_budgets/update_approval_question.sql"), values).rowcount == 1


def recorded_answer(name: str, dag_run_id: str) -> Answer:
    """The answer to the last question of a run, if it counts.

    Raises AnswerUnusable where none is recorded, where whoever gave it is not among `approvers` as they are now, and
    where a decision was altered after it was shown.
    """
    with database.connect() as connection:
        kept = _last_question(connection, name, dag_run_id)
        if kept is None or not kept["is_answered"]:
            raise AnswerUnusable(
                f"Airflow has no record of an answer to a question of run {dag_run_id}: the state of the task that "
                "asks was set by hand, or the run was cleared."
            )
        approvers = read_switches(connection).approvers
        altered = sql.read_rows(
            connection,
            sql.render("lead_budgets/select_altered_questions.sql"),
            {"channel": name, "asked": _json(kept["asked"])},
        )
    answer = Answer(
        {change["decision_id"]: change["segment"] for change in kept["asked"]},
        kept["chosen"],
        kept["form"],
        kept["responder_id"],
        kept["responder_name"],
        kept["responded_at"],
    )
    if answer.responder_id is not None and approvers and answer.responder_id not in approvers:
        raise AnswerUnusable(f"{answer.who} answered, and is not among the approvers: {', '.join(approvers)}.")
    if altered:
        raise AnswerUnusable(
            "What was shown is not what is decided: "
            + "; ".join(
                f"{row['segment']} was shown as {euros(row['shown_old'])} → {euros(row['shown_new'])} "
                f"and is {euros(row['decided_old'])} → {euros(row['decided_new'])}"
                for row in altered[:10]
            )
            + "."
        )
    return answer


def decide(name: str, dag_run_id: str, *, last_try: bool = False) -> ChangeReport:
    """Send what was approved, and log what was not as failed with who said no.

    Only the changes that the run's last question showed are touched, whatever else waits by now. Anything in the form
    that is not a code of the list rejects everything: whoever wrote it meant something.
    Raises AnswerUnusable where nothing counts as an answer, and ChangesUnsettled, ChangesLeftOpen or ChangesFailed
    like every other change.
    """
    answer = recorded_answer(name, dag_run_id)
    until = deadline()
    left_out, unclear = _left_out(answer)
    if answer.who is None:
        verdict, why = EXPIRED, f"nobody answered by {until.isoformat()}"
    elif answer.responded_at is None or answer.responded_at > until:
        # Airflow closes the question itself, but for as long as its scheduler is down the form stays open.
        at = answer.responded_at or "an unknown time"
        verdict, why = EXPIRED, f"{answer.who} answered at {at}, after {until.isoformat()}"
    elif list(answer.chosen) != [APPROVE]:
        verdict, why = REJECTED, f"rejected by {answer.who}"
    elif unclear:
        verdict, why = REJECTED, f"{unclear}, so nothing was sent; {answer.who} answered"
    else:
        verdict, why = None, ""
    approved = [key for key, code in answer.shown.items() if verdict is None and code not in left_out]
    refused = [key for key in answer.shown if key not in approved]

    channel = channels.get_paid(name)
    report = ChangeReport()
    made: set[UUID] = set()
    with protocol.working_alone(name), database.connect() as connection:
        key = {"action": "increase", "dag_run_id": dag_run_id, "decided_by": answer.who}
        switches = read_switches(connection)
        if refused:
            wanted = key | {"decisions": refused}
            protocol.decline(
                connection,
                protocol.decided_changes(connection, channel, wanted, report, status="waiting_approval"),
                verdict or REJECTED,
                why or f"left out by {answer.who}",
                report,
            )
        if not switches.changes_allowed or switches.dry_run:
            report.switched_off = bool(approved)
        elif approved:
            wanted = key | {"decisions": approved}
            decided = protocol.decided_changes(connection, channel, wanted, report, status="waiting_approval")
            made = protocol.claim_decisions(connection, channel, decided, switches, report)
            _name_unclaimed(
                connection, {key: answer.shown[key] for key in approved}, f"approved by {answer.who}", report
            )
        protocol.finish(
            connection,
            channel,
            "budget_increase",
            dag_run_id,
            report,
            made,
            last_try=last_try,
            decisions=list(answer.shown),
        )
    raise_for(report, "approved budget increase(s)")
    return report


def _left_out(answer: Answer) -> tuple[set[str], str]:
    """The segments to leave out, and what of the form is not clear ("" where all is). An empty line names nothing."""
    given = {} if answer.form is None else answer.form
    if not isinstance(given, dict) or set(given) - {LEAVE_OUT}:
        return set(), f"the form has fields that it did not show ({_cell(str(given))})"
    codes = [] if given.get(LEAVE_OUT) is None else given[LEAVE_OUT]
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        return set(), f"{_cell(str(codes))} under Leave out is not a list of codes"
    named = {code.strip() for code in codes} - {""}
    unknown = named - set(answer.shown.values())
    return named, f"{_cell(', '.join(sorted(unknown)))} under Leave out is not in the list" if unknown else ""


def _last_question(connection: psycopg.Connection[Any], name: str, dag_run_id: str) -> dict[str, Any] | None:
    found = sql.read_rows(
        connection,
        sql.render("lead_budgets/select_approval_question.sql"),
        {"channel": name, "dag_run_id": dag_run_id},
    )
    return found[0] if found else None


def _limit_changes(connection: psycopg.Connection[Any]) -> list[str]:
    """Who changed a limit in the last 24 hours, as lines of the form; none where nobody did."""
    changes = sql.read_rows(
        connection, sql.render("lead_budgets/select_limit_changes.sql"), {"limit": LIMIT_CHANGES_SHOWN}
    )
    if not changes:
        return []
    more = changes[0]["total"] - len(changes)
    return [
        "",
        "**Limits changed in the last 24 hours**",
        "",
        "| when | who | where | what | from | to |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['changed_at'].astimezone(day.AMSTERDAM):%d %b %H:%M} | {_cell(row['changed_by'])} "
            f"| {row['subject']} | {row['column_name']} | {_cell(row['old_value'])} | {_cell(row['new_value'])} |"
            for row in changes
        ),
        *([f"| … | and {more} more, in `limit_changes` | | | | |"] if more else []),
    ]


def _name_unclaimed(
    connection: psycopg.Connection[Any], approved: Mapping[str, str], words: str, report: ChangeReport
) -> None:
    """Name what was approved and could not be claimed any more, unless the report does so already."""
    rows = connection.execute(sql.render("lead_budgets/select_claimed.sql"), {"decisions": list(approved)})
    claimed = {str(row[0]) for row in rows}
    connection.commit()
    named = {line.partition(":")[0] for line in report.unclaimed}
    report.unclaimed += [
        f"{code}: {words}; its campaign, its automation or its plan changed since it was asked, so nothing was sent"
        for key, code in approved.items()
        if key not in claimed and code not in named
    ]


def _cell(text: str | None) -> str:
    """Text as one cell of a Markdown table: nothing in it may end the cell, the row or begin a link."""
    return "–" if text is None else " ".join(text.replace("|", "/").replace("[", "(").replace("<", "(").split())[:400]


def _json(value: Any) -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb(value)


def _leads(number: Decimal | None) -> str:
    return "–" if number is None else f"{number:.1f}"
