"""The task that asks a person about all large increases of a channel, and keeps the answer."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param

from lead_demand.budgets.hitl_record import APPROVE, LEAVE_OUT, REJECT
from lead_demand.errors import AnswerUnclear, AnswerUnusable
from lead_demand.oncall.diagnosis import explain
from lead_demand.runs import day
from lead_demand.runs.this_run import say

if TYPE_CHECKING:
    from lead_demand.budgets.approval_questions import Question

# Seconds after which an answer that could not be kept is tried to be kept again, and how often.
KEEP_AGAIN, KEEP_TRIES = 15.0, 40


class AskForApproval(HITLOperator):
    """Approve or Reject all large increases of a channel that wait; silence until the day's deadline is Reject.

    What it shows, until when and to whom comes from the database when the task runs, never from another task. The
    answer is kept there too, and this task returns nothing: what could be read from its XCom could be written there.

    :param channel: the paid channel whose increases are asked about.
    """

    def __init__(self, *, channel: str, **arguments: Any) -> None:
        super().__init__(
            subject="Large budget increases",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            # Replaced by what is left until the deadline. Without one, Airflow takes the task's own timeout for it.
            response_timeout=timedelta(days=1),
            params={LEAVE_OUT: _leave_out([])},
            **arguments,
        )
        self.channel = channel

    def execute(self, context: Context) -> None:
        """Ask, unless the question has its answer (Airflow may try the task again although it ended well, when the
        answer came close upon the question) or nobody can answer any more. Raises AirflowSkipException where no
        increase waits, MessageBroken where the text of the question cannot be made.
        """
        from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

        from lead_demand.budgets import approval_questions

        day.require_today(context["dag_run"])
        asked = approval_questions.question(self.channel)
        if asked is None:
            raise AirflowSkipException("No large increase waits for a person.")
        if not approval_questions.ask(asked, self.channel, str(context["ti"].id), context["dag_run"].run_id):
            say("The question has its answer, which counts; nobody is asked again.")
            return
        if asked.deadline <= datetime.now(tz=day.AMSTERDAM):
            approval_questions.record_unasked(str(context["ti"].id))
            say(
                f"{asked.subject}: nobody is asked, because approval_deadline was {asked.deadline:%H:%M} and nobody "
                "can answer any more. These budgets stay as they are.",
                asked.body.splitlines(),
            )
            return
        say(f"{asked.subject}: asked until {asked.deadline.isoformat()}.", asked.body.splitlines())
        self._show(asked, context)
        # As HITLOperator.execute ends; it would put the question on record once more, and empty an answer of meanwhile.
        left = max(asked.deadline - datetime.now().astimezone(), timedelta(seconds=1))
        raise TaskAwaitingInput(method_name="execute_complete", timeout=left)

    def _show(self, asked: Question, context: Context) -> None:
        """Put the question on Airflow's record. Raises AnswerUnusable where its form shows an older text."""
        from lead_demand.budgets.hitl_record import shown_text

        self.subject, self.body = asked.subject, asked.body
        self.params[LEAVE_OUT] = _leave_out([change.segment for change in asked.changes])
        # Airflow knows a person by the id; the name is only shown.
        self.assigned_users = [{"id": user, "name": user} for user in asked.approvers]
        if shown_text(self, context["ti"].id) != self.body:
            raise AnswerUnusable(
                f"The form of run {context['ti'].run_id} shows what it showed before the task was cleared or tried "
                "again, and that is not what waits now.",
            )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Keep the answer, once. `event` is Airflow's copy of its record of the question: only Airflow writes it.

        Raises AnswerUnclear where it cannot be meant: the next try of the task empties the record and asks once more.
        """
        for tries_left in reversed(range(KEEP_TRIES)):
            try:
                self._keep(context, event)
                return
            except Exception as error:
                # A retry of the task would empty the record and ask once more, so it is tried here first.
                if isinstance(error, AnswerUnclear) or not (tries_left and explain(error).heals):
                    raise
                self.log.warning("The answer could not be kept, so nothing is sent; it is tried again: %s", error)
                time.sleep(KEEP_AGAIN)

    def _keep(self, context: Context, response: dict[str, Any]) -> None:
        from lead_demand.budgets import approval_questions

        day.require_today(context["dag_run"])
        kept = approval_questions.record(str(context["ti"].id), response)
        user = response.get("responded_by_user") or {}
        if user:
            form = response.get("params_input") or "no field filled in"
            answer = f"{', '.join(response['chosen_options'])} by {user.get('name') or user.get('id')}, {form}"
        else:  # what Airflow then has as chosen is its default, and no person's
            answer = "nobody answered in time, so these budgets stay as they are"
        say(f"Kept: {answer}." if kept else f"Not kept, for an answer counts once and there is one: {answer}.")


def _leave_out(codes: list[str]) -> Param:
    """The field of the form in which segments are chosen that stay as they are; `answer_check` holds every answer to
    its schema.
    """
    return Param(
        [],
        type=["null", "array"],
        items={"type": "string", "enum": codes} if codes else {"type": "string"},
        examples=codes,
        title="Leave out",
        description="Segments that stay as they are although the rest is approved. Empty: all are approved.",
    )
