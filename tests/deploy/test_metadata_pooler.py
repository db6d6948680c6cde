"""The metadata database behind a transaction pooler, with the drivers that Airflow uses."""

import asyncio
import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from tests.fixtures.pgbouncer import PooledDatabase
from tests.fixtures.postgres import LeadsDatabase
from tools import REPOSITORY

TRANSACTIONS = 12  # psycopg prepares a statement once it was executed five times
STATEMENT = sqlalchemy.text("select 1")


@pytest.fixture
def settings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("metadata_pooler", REPOSITORY / "config" / "metadata_pooler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def url(leads_db: LeadsDatabase, pooler_before: Callable[..., PooledDatabase]) -> str:
    """Of a pooler with two sessions at the server: it gives each transaction the next of them."""
    found = pooler_before(leads_db).pipeline_url
    with psycopg.connect(found, prepare_threshold=None) as one, psycopg.connect(found, prepare_threshold=None) as other:
        one.execute("select 1")
        other.execute("select 1")
    return found


def synchronous(url: str, connect_args: dict[str, Any]) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), connect_args=connect_args)
    try:
        with engine.connect() as connection:
            for _ in range(TRANSACTIONS):
                connection.execute(STATEMENT)
                connection.commit()
    finally:
        engine.dispose()


async def asynchronous(url: str, connect_args: dict[str, Any]) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), connect_args=connect_args)
    try:
        async with engine.connect() as connection:
            for _ in range(TRANSACTIONS):
                await connection.execute(STATEMENT)
                await connection.commit()
    finally:
        await engine.dispose()


def test_psycopg_works_through_a_transaction_pooler_with_these_settings_alone(url: str, settings: ModuleType) -> None:
    synchronous(url, settings.SYNC)
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="prepared statement"):
        synchronous(url, {})


def test_asyncpg_works_through_a_transaction_pooler_with_these_settings_alone(url: str, settings: ModuleType) -> None:
    asyncio.run(asynchronous(url, settings.ASYNC))
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="prepared statement"):
        asyncio.run(asynchronous(url, {}))
