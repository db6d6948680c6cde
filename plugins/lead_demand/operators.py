"""Operators that the providers lack."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param


class AskForApproval(HITLOperator):
    """Approve or Reject, asked until a moment that is known when the question is; silence is Reject.

    :param deadline: ISO date and time; templated.
    """

    template_fields: ClassVar[Sequence[str]] = (*HITLOperator.template_fields, "deadline")

    def __init__(self, *, deadline: str, **arguments: Any) -> None:
        super().__init__(
            options=["Approve", "Reject"],
            defaults="Reject",
            # Replaced by what is left until the deadline. Without one, Airflow takes the task's own timeout for it.
            response_timeout=timedelta(days=1),
            params={
                "leave_out": Param(
                    [],
                    type=["null", "array"],
                    items={"type": "string"},
                    title="Leave out",
                    description="Codes of segments that stay as they are although the rest is approved, one a line.",
                )
            },
            **arguments,
        )
        self.deadline = deadline

    def execute(self, context: Context) -> None:
        left = datetime.fromisoformat(self.deadline) - datetime.now().astimezone()
        self.response_timeout = max(left, timedelta(seconds=1))
        super().execute(context)
