"""Who may look, answer, trigger and revert: Airflow's own rules, as docs/threat-model.md tells them."""

from __future__ import annotations

import re

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

from tools import REPOSITORY

ROLES = ("viewer", "user", "op", "admin")
ROWS = {
    "see runs": ("GET", DagAccessEntity.RUN),
    "answer a question": ("PUT", DagAccessEntity.HITL_DETAIL),
    "trigger": ("POST", DagAccessEntity.RUN),
}


def cells(row: str) -> list[str]:
    """The row of the table of roles that begins so."""
    page = (REPOSITORY / "docs" / "threat-model.md").read_text()
    (found,) = re.findall(rf"^\| {row}[^|]*\|(.*)\|$", page, flags=re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


@pytest.mark.parametrize("row", ROWS)
def test_the_table_of_roles_is_what_airflow_allows(row: str) -> None:
    method, entity = ROWS[row]
    for role, cell in zip(ROLES, cells(row), strict=True):
        user = SimpleAuthManagerUser(username="anke", role=role)
        may = SimpleAuthManager().is_authorized_dag(
            method=method, user=user, access_entity=entity, details=DagDetails(id="lead_budget_revert")
        )
        assert may == (cell != "no"), f"{role}: {row}"


def test_connections_are_for_op_and_admin() -> None:
    for role, cell in zip(ROLES, cells("connections"), strict=True):
        user = SimpleAuthManagerUser(username="anke", role=role)
        assert SimpleAuthManager().is_authorized_connection(method="PUT", user=user) == (cell == "yes")
