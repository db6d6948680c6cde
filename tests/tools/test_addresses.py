"""An address of a database that cannot be read is never printed, by no command and in no error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tools import REPOSITORY, addresses

SECRET = "Zq7planted9pw"
UNREADABLE = [
    f"postgresql://owner:{SECRET}@127.0.0.1:{SECRET}/leads",  # the port is no number
    f"postgresql://owner:{SECRET}@127.0.0.1:99999/leads",
    f"postgresql://owner:{SECRET}/2{SECRET}@127.0.0.1:1/leads",
    f"postgresql://owner:12/{SECRET}@127.0.0.1:1/leads",
    f"postgresql://owner:{SECRET}@{SECRET}@127.0.0.1:1/leads",
    f"postgresql://owner:{SECRET}?{SECRET}@127.0.0.1:1/leads",
    f"postgresql://owner:{SECRET}#{SECRET}@127.0.0.1:1/leads",
    f"postgresql://owner:[{SECRET}]@127.0.0.1:1/leads",
    f"postgresql://owner:{SECRET}%zz@127.0.0.1:1/leads",
    f"postgresql://owner:{SECRET} {SECRET}@127.0.0.1:1/leads",
    f"postgresql:/owner:{SECRET}@127.0.0.1:1/leads",
    f"host=127.0.0.1 password={SECRET} {SECRET}",
    f"host=127.0.0.1 port={SECRET} password={SECRET}",
    f"{SECRET}",
]


@pytest.mark.parametrize("address", UNREADABLE)
def test_an_address_that_cannot_be_read_is_not_quoted(address: str) -> None:
    with pytest.raises(addresses.AddressError, match="Nothing was changed") as caught:
        addresses.check(address, "LEADS_DATABASE_URL")
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__, "no traceback quotes it either"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://postgres.project:p%40s%2Fs:word@db.example.co:5432/postgres?sslmode=require",
        "postgres://owner@[::1]:5432/leads",
        "postgresql://127.0.0.1/leads",
        "postgresql://owner:p@one.example:5432,two.example:5433/leads",
        "host=127.0.0.1 port=5432 user=owner password='p w' dbname=leads",
    ],
)
def test_a_readable_address_is_left_alone(address: str) -> None:
    addresses.check(address, "LEADS_DATABASE_URL")


@pytest.mark.parametrize("address", UNREADABLE[:9])
def test_a_connection_of_airflow_that_cannot_be_read_is_not_quoted(address: str) -> None:
    for written in (address, f'{{"password": "{SECRET}", oops}}', json.dumps({"port": SECRET})):
        with pytest.raises(addresses.AddressError) as caught:
            addresses.connection(written, "AIRFLOW_CONN_LEADS_DB")
        assert SECRET not in str(caught.value)


def test_what_the_driver_says_is_told_without_the_password() -> None:
    address = f"postgresql://owner:{SECRET}%40@127.0.0.1:1/leads"
    said = psycopg.OperationalError(f'refused: "{address}", password {SECRET}@')
    assert addresses.told(said, address) == 'refused: "postgresql://owner:***@127.0.0.1:1/leads", password ***'
    assert SECRET not in addresses.told(said, f"postgresql://owner:{SECRET}%zz@127.0.0.1")


@pytest.mark.parametrize(
    ("command", "address"),
    [
        ("local.commands migrate", UNREADABLE[0]),
        ("local.commands psql", UNREADABLE[2]),
        ("local.commands up", UNREADABLE[11]),
        ("local.morning", UNREADABLE[4]),
    ],
)
def test_no_command_prints_an_address_that_cannot_be_read(command: str, address: str, tmp_path: Path) -> None:
    environment = os.environ | {"LEADS_DATABASE_URL": address, "LEAD_DEMAND_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 1
    assert "LEADS_DATABASE_URL" in done.stderr and "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
