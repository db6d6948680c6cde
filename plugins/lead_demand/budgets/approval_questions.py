"""The question about large increases: what is asked, that it is kept as it was shown, and what was answered.

What was shown is kept in `approval_questions`, and so is the answer, as Airflow hands it to the very task instance that
asked: it copies its record of the question (`hitl_detail`) in the transaction that stores the response, and only the
asking task can read that record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lead_demand import database, messages
from lead_demand.budgets.hitl_record import APPROVE, LEAVE_OUT
from lead_demand.database import sql
from lead_demand.database.settings import read_switches
from lead_demand.errors import AnswerUnclear, AnswerUnusable
from lead_demand.runs import day
from lead_demand.text import euros, markdown

if TYPE_CHECKING:
    import psycopg

LIMIT_CHANGES_SHOWN = 20


@dataclass(frozen=True)
class LargeChange:
    """One increase that waits. Money in EUR per day, leads in generated leads per day over the week: expected without
    it, wanted, and expected with it; None = not known.
    """

    decision_id: str
    segment: str
    old_budget: Decimal
    new_budget: Decimal
    expected: Decimal | None
    target: Decimal | None
    expected_after: Decimal | None
    sentence: str

    @property
    def per_lead(self) -> Decimal | None:
        """EUR for each lead more; None where none is expected."""
        if self.expected is None or self.expected_after is None or self.expected_after <= self.expected:
            return None
        return (self.new_budget - self.old_budget) / (self.expected_after - self.expected)


def waiting(channel: str) -> list[LargeChange]:
    """Today's increases that wait for a person, the largest first."""
    with database.connect() as connection:
        rows = connection.execute(sql.render("lead_budgets/select_large_changes.sql"), {"channel": channel}).fetchall()
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
    :param chosen: the options chosen; none = nobody was asked, because the deadline had passed.
    :param form: the fields of the form as they were given, whatever they are.
    :param responder_id: None = nobody answered in time.
    """

    shown: Mapping[str, str]
    chosen: Sequence[str]
    form: object
    responder_id: str | None
    responder_name: str | None
    responded_at: datetime | None

    @property
    def who(self) -> str | None:
        """As the log names them: a name may be anybody's choice, an id is not."""
        if self.responder_name in (None, self.responder_id):
            return self.responder_id
        return f"{self.responder_name} ({self.responder_id})"


def left_out(form: object, codes: Collection[str]) -> tuple[set[str], str]:
    """The segments that an answer leaves out, and what of its form is not clear ("" where all is). An empty line names
    nothing.

    :param form: as it was given, whatever it is.
    :param codes: the segments that the question showed.
    """
    given = {} if form is None else form
    if not isinstance(given, dict) or set(given) - {LEAVE_OUT}:
        return set(), f"the form has fields that it did not show ({markdown(str(given))})"
    chosen = [] if given.get(LEAVE_OUT) is None else given[LEAVE_OUT]
    if not isinstance(chosen, list) or not all(isinstance(code, str) for code in chosen):
        return set(), f"{markdown(str(chosen))} under Leave out is not a list of codes"
    named = {code.strip() for code in chosen} - {""}
    unknown = named - set(codes)
    return named, f"{markdown(', '.join(sorted(unknown)))} under Leave out is not in the list" if unknown else ""


def deadline(now: datetime | None = None) -> datetime:
    """Today's last moment for an answer, by the settings as they are now. One that cannot be read is now; settings
    that cannot be read let nothing be sent either.
    """
    now = now or datetime.now(tz=day.AMSTERDAM)
    with database.connect() as connection:
        until = read_switches(connection).approval_deadline
    return now if until is None else datetime.combine(day.today(now), until, tzinfo=day.AMSTERDAM)


def question(channel: str) -> Question | None:
    """What there is to ask, from the database as it is now; None where no increase waits. Raises MessageBroken."""
    changes = waiting(channel)
    if not changes:
        return None
    until = deadline()
    with database.connect() as connection:
        approvers = read_switches(connection).approvers
        limit_changes = sql.read_rows(
            connection, sql.render("lead_budgets/select_limit_changes.sql"), {"limit": LIMIT_CHANGES_SHOWN}
        )
    shown = {
        "changes": changes,
        "total": sum((change.new_budget - change.old_budget for change in changes), Decimal(0)),
        "deadline": until,
        "approvers": approvers,
        "limit_changes": limit_changes,
        "more": limit_changes[0]["total"] - len(limit_changes) if limit_changes else 0,
    }
    message = messages.render_markdown("approval.md.j2", shown)
    return Question(
        subject=message.subject,
        body="\n".join(message.lines),
        deadline=until,
        changes=tuple(changes),
        approvers=approvers,
    )


def ask(asked: Question, channel: str, question_id: str, dag_run_id: str) -> bool:
    """Keep what is about to be shown, under Airflow's id of the task instance that shows it. False where the run's last
    question was about exactly this and has its answer, which counts: Airflow may try the task again all the same, under
    a new id, and nobody is to be asked twice.

    Raises AnswerUnusable where that task instance has shown something else before.
    """
    shown = [
        {
            "decision_id": change.decision_id,
            "segment": change.segment,
            "old_budget": str(change.old_budget),
            "new_budget": str(change.new_budget),
        }
        for change in asked.changes
    ]
    key = {"question_id": question_id, "channel": channel, "dag_run_id": dag_run_id}
    with database.connect() as connection:
        kept = _last_question(connection, channel, dag_run_id)
        if kept is not None and kept["is_answered"] and kept["asked"] == shown:
            return False
        connection.execute(sql.render("lead_budgets/insert_approval_question.sql"), key | {"asked": sql.as_json(shown)})
        kept = _last_question(connection, channel, dag_run_id)
    if kept is None or str(kept["id"]) != question_id or kept["asked"] != shown:
        raise AnswerUnusable(f"Task instance {question_id} of run {dag_run_id} has asked another question before.")
    return True


def record(question_id: str, response: Mapping[str, Any]) -> bool:
    """Keep what Airflow's record says of the answer to a question. False where an answer is kept already, which stays.

    Raises AnswerUnclear, and keeps nothing, where a person approved and left out what the question did not show:
    whoever wrote it meant something, so it is asked again.

    :param response: Airflow's own: `chosen_options`, `params_input`, `responded_by_user` (None = the deadline
        decided), `responded_at`.
    """
    user = response.get("responded_by_user") or {}
    values = {
        "question_id": question_id,
        "chosen": list(response["chosen_options"]),
        "form": sql.as_json(response.get("params_input")),
        "responder_id": user.get("id"),
        "responder_name": user.get("name"),
        "responded_at": response.get("responded_at"),
    }
    with database.connect() as connection:
        if user and values["chosen"] == [APPROVE]:
            statement = sql.render("lead_budgets/select_asked_segments.sql")
            codes = [code for (code,) in connection.execute(statement, {"question_id": question_id})]
            if unclear := left_out(response.get("params_input"), codes)[1]:
                who = user.get("name") or user.get("id")
                raise AnswerUnclear(f"{who} approved, but {unclear}; nothing was sent, and it is asked again.")
        return connection.execute(sql.render("lead_budgets/update_approval_question.sql"), values).rowcount == 1


def record_unasked(question_id: str) -> bool:
    """Keep that nobody was asked, because the deadline had passed before anybody could answer. False where an answer is
    kept already, which stays.
    """
    return record(question_id, {"chosen_options": []})


def recorded_answer(channel: str, dag_run_id: str) -> Answer:
    """The answer to the last question of a run, if it counts.

    Raises AnswerUnusable where none is recorded, where whoever gave it is not among `approvers` as they are now, and
    where a decision was altered after it was shown.
    """
    with database.connect() as connection:
        kept = _last_question(connection, channel, dag_run_id)
        if kept is None or not kept["is_answered"]:
            raise AnswerUnusable(
                f"Airflow has no record of an answer to a question of run {dag_run_id}: the state of the task that "
                "asks was set by hand, or the run was cleared."
            )
        approvers = read_switches(connection).approvers
        altered = sql.read_rows(
            connection,
            sql.render("lead_budgets/select_altered_questions.sql"),
            {"channel": channel, "asked": sql.as_json(kept["asked"])},
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


def _last_question(connection: psycopg.Connection[Any], channel: str, dag_run_id: str) -> dict[str, Any] | None:
    found = sql.read_rows(
        connection,
        sql.render("lead_budgets/select_approval_question.sql"),
        {"channel": channel, "dag_run_id": dag_run_id},
    )
    return found[0] if found else None
