"""Airflow's own record of a question to a person (`hitl_detail`), as far as the task that asks may read it.

The execution API gives that record to no other task (scope `ti:self`), and no user can write to it but by answering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

#: The options of a question, and the field of its form in which segments are left out.
APPROVE, REJECT = "Approve", "Reject"
LEAVE_OUT = "leave_out"

if TYPE_CHECKING:
    from uuid import UUID

    from airflow.providers.standard.operators.hitl import HITLOperator


def shown_text(operator: HITLOperator, task_instance_id: UUID) -> str | None:
    """Put the operator's question on record and give the text that the form shows from then on.

    Of a task instance that was cleared or tried again the record exists already. Airflow empties its answer and keeps
    its text, so what the form shows may be older than what was put.
    """
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

    record = task_runner.SUPERVISOR_COMMS.send(
        CreateHITLDetailPayload(
            ti_id=task_instance_id,
            options=operator.options,
            subject=operator.subject,
            body=operator.body,
            defaults=operator.defaults,
            multiple=operator.multiple,
            params=operator.serialized_params,
            assigned_users=[{"id": user["id"], "name": user["name"]} for user in operator.assigned_users or ()],
        )
    )
    return getattr(record, "body", None)
