"""The company's own database, if the user named one: what must be in place before the DAGs may run against it, and
what refuses to run beside it.

Reads only. It is neither migrated nor given the sandbox's company: `Services.owns_world` is false with it.
"""

import os
from collections.abc import Iterator

import psycopg

from local import LocalError
from tools import adapters, addresses, migrate
from tools.migrations import MigrationError

NEEDED = {
    "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": "the service account of the Google hooks",
    "AIRFLOW_CONN_GOOGLE_ADS_DEFAULT": "the Google Ads API: login customer id; a developer token is not needed",
    "AIRFLOW_CONN_GOOGLE_REPORTING": "Search Console and GA4: extra.keyfile_dict and scope",
}
OWN_LOGIN = "AIRFLOW_CONN_LEADS_DB"
# What always comes from the sandbox, unless LEADS_DATABASE_URL names a real one.
STAND_IN = (
    OWN_LOGIN,
    "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT",
    "AIRFLOW_CONN_GOOGLE_ADS_DEFAULT",
    "AIRFLOW_CONN_GOOGLE_REPORTING",
)
MIGRATE = "run `make migrate` as the database's owner, or `supabase db push`"


def real_database() -> str | None:
    """The URL of the company's own database, if the user named one. Raises LocalError if it cannot be read."""
    url = os.environ.get("LEADS_DATABASE_URL") or None
    if url:
        try:
            addresses.check(url, "LEADS_DATABASE_URL")
        except addresses.AddressError as error:
            raise LocalError(str(error)) from None
    return url


def refuse_real(what: str) -> None:
    """Raises LocalError where the environment names a database or an account that is not the sandbox's.

    :param what: the command does that only the sandbox's company may live through.
    """
    named = [name for name in ("LEADS_DATABASE_URL", *STAND_IN) if os.environ.get(name)]
    if real_database() or named:
        raise LocalError(
            f"{', '.join(named)} is set. {what}, which only the sandbox's may. Nothing was changed. Unset it to live a "
            "day of the sandbox."
        )


def refuse_if_incomplete() -> None:
    """With a real database: raise LocalError that names everything that is missing, at once."""
    if found := problems():
        listed = "\n".join(f"  - {problem}" for problem in found)
        raise LocalError(f"LEADS_DATABASE_URL is set, and this is missing:\n{listed}\nNothing was changed.")


def problems() -> list[str]:
    """Everything that is missing, one sentence each with its remedy; empty when the DAGs may run."""
    url = os.environ["LEADS_DATABASE_URL"]
    found = [f"{name} is not set ({what})" for name, what in NEEDED.items() if not os.environ.get(name)]
    try:
        pending = migrate.pending(url)
    except (psycopg.Error, MigrationError) as error:
        return [*found, f"LEADS_DATABASE_URL cannot be read: {addresses.told(error, url)}"]
    if pending:
        return [*found, f"{len(pending)} migrations are not applied, the first is {pending[0]}: {MIGRATE}"]
    try:
        theirs = login(url)
    except addresses.AddressError as error:
        return [*found, str(error)]
    try:
        with psycopg.connect(theirs, connect_timeout=15, prepare_threshold=None) as connection:
            connection.read_only = True
            found += _role(connection)
            found += _rows(connection)
            connection.rollback()
            connection.read_only = False  # a view is made, and rolled back
            found += adapters.problems(connection, _login_or_role(connection))
            connection.rollback()
    except psycopg.Error as error:
        found.append(
            f"The login of the DAGs ({OWN_LOGIN}, else LEADS_DATABASE_URL) fails: {addresses.told(error, theirs)}"
        )
    return found


def login(url: str) -> str:
    """The connection that the DAGs will use, as libpq reads it: AIRFLOW_CONN_LEADS_DB, a URI or JSON, else `url`.

    Raises AddressError, which does not quote it.
    """
    own = os.environ.get(OWN_LOGIN)
    return addresses.connection(own, OWN_LOGIN) if own else url


def _role(connection: psycopg.Connection) -> Iterator[str]:
    row = connection.execute(
        """
        select current_user, rolsuper or rolbypassrls,
            exists (select from pg_roles where rolname = 'lead_pipeline')
                and pg_has_role(current_user, 'lead_pipeline', 'usage')
        from pg_roles where rolname = current_user
        """
    ).fetchone()
    user, unbound, member = row or ("?", True, False)
    advice = "`create role … login password … in role lead_pipeline`, and name that login in AIRFLOW_CONN_LEADS_DB"
    if unbound:
        yield f"The DAGs would log in as {user}, which row level security does not bind: {advice}"
    elif not member:
        yield f"The DAGs would log in as {user}, which has not the rights of lead_pipeline: {advice}"


def _login_or_role(connection: psycopg.Connection) -> str:
    """Whose rights are asked about: the login's own, or those of the role that it should have."""
    query = "select current_user, rolsuper from pg_roles where rolname = current_user"
    user, is_superuser = connection.execute(query).fetchone() or ("", True)
    return adapters.PIPELINE if is_superuser else user


def _rows(connection: psycopg.Connection) -> Iterator[str]:
    settings = connection.execute(
        "select total_daily_cap, max_daily_increase, approval_threshold from public.orchestration_settings"
    ).fetchone()
    if settings is None:
        yield f"orchestration_settings has no row that the pipeline can see: {MIGRATE}"
    else:
        names = ("total_daily_cap", "max_daily_increase", "approval_threshold")
        if unknown := [name for name, value in zip(names, settings, strict=True) if value is None]:
            yield f"orchestration_settings: set {', '.join(unknown)} (EUR); while one is NULL no budget is changed"
    for table, condition, what in (
        ("lead_segments", "is_active", "the branches and regions that leads belong to"),
        (
            "channel_sources",
            "is_active and channel = 'google_ads'",
            "which campaign belongs to which segment",
        ),
        ("lead_segment_channels", "channel = 'google_ads'", "each segment's floor, cap and largest steps"),
    ):
        row = connection.execute(f"select exists (select from public.{table} where {condition})").fetchone()
        if not (row and row[0]):
            yield f"{table} has no row where {condition}: insert {what}"
