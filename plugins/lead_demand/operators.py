"""Operators that the providers lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from airflow.providers.common.sql.operators.sql import SQLCheckOperator


class BoundCheckOperator(SQLCheckOperator):
    """SQLCheckOperator whose `parameters` are templated too, so that a check binds its day like every other
    statement.
    """

    template_fields: ClassVar[Sequence[str]] = (*SQLCheckOperator.template_fields, "parameters")
