"""What the adapters in `include/sql/sources` need of a company's own tables: the columns that the pipeline may read,
and the owner's function that tells double posts.

PostgreSQL itself says which columns a query uses: a temporary view of it is made and rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jinja2
import psycopg

from tools import REPOSITORY

FOLDER = REPOSITORY / "include" / "sql"
LEADS, CAPACITY = "sources/leads.sql", "sources/partner_capacity.sql"
PIPELINE = "lead_pipeline"
# What the statements themselves use of `leads`, whatever the adapter names.
ALWAYS = {"public.leads": ("id", "segment_id")}
# What the migrations grant where a table has it, though an adapter may not need it.
GRANTED = ("id", "created_at", "status", "country", "branch", "region", "postal_code", "source_channel", "segment_id")
NOT_FITTING = (
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.SyntaxError,
    psycopg.errors.DatatypeMismatch,
    psycopg.errors.InvalidSchemaName,
)

CONTACTS = "private.lead_contacts(date, date)"
_CREATE_CONTACTS = """create or replace function private.lead_contacts(p_first date, p_last date)
returns table (lead_id text, contact text)
language sql stable security definer
set search_path = ''
as $contacts$
{body}
$contacts$;
"""
_USED = """
select distinct dependency.refobjid::oid as relation, attributes.attnum, attributes.attname as column
from pg_depend as dependency
inner join pg_rewrite as rules on dependency.objid = rules.oid and dependency.classid = 'pg_rewrite'::regclass
inner join pg_attribute as attributes
    on dependency.refobjid = attributes.attrelid and dependency.refobjsubid = attributes.attnum
where rules.ev_class = 'pg_temp.adapter'::regclass
    and dependency.refclassid = 'pg_class'::regclass
    and dependency.refobjid <> rules.ev_class
    and dependency.refobjsubid <> 0
"""
_MISSING = """
select format('%%I.%%I', schemas.nspname, relations.relname) as name,
    string_agg(quote_ident(attributes.attname), ', ' order by attributes.attnum) as columns
from pg_attribute as attributes
inner join pg_class as relations on attributes.attrelid = relations.oid
inner join pg_namespace as schemas on relations.relnamespace = schemas.oid
where (attributes.attrelid, attributes.attname) in (
        select * from unnest(%(relations)s::oid[], %(columns)s::name[])
    )
    and not has_column_privilege(%(role)s, attributes.attrelid, attributes.attnum, 'select')
group by 1
order by 1
"""
_BEYOND = """
select string_agg(quote_ident(attname), ', ' order by attnum)
from pg_attribute
where attrelid = 'public.leads'::regclass and attnum > 0 and not attisdropped
    and not attname = any(%(needed)s::name[])
    and has_column_privilege(%(role)s, attrelid, attnum, 'select')
"""


def render(name: str, leads: str | None = None) -> str:
    """A file of `include/sql` without its comments.

    :param leads: the text of another adapter of `leads` than the one in the folder.
    """
    given = jinja2.DictLoader({} if leads is None else {LEADS: leads})
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([given, jinja2.FileSystemLoader(FOLDER)]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  (SQL, not HTML)
    )
    text = environment.get_template(name).render()
    lines = [line.rstrip() for line in text.splitlines() if not re.match(r"\s*(--|$)", line)]
    return "\n".join(lines)


def contacts_function(leads: str | None = None) -> str:
    """The statement that makes `private.lead_contacts` as the adapter says who posted."""
    return _CREATE_CONTACTS.format(body=render("reading/lead_contacts.sql", leads))


def follow(connection: psycopg.Connection, report: Callable[[str], None] = print, leads: str | None = None) -> None:
    """Make `private.lead_contacts` as the adapter says, as the owner of `leads`; where it is so already, nothing.

    A table that the adapter does not fit is reported, and the function stays as it was.
    """
    if _value(connection, "select row_security_active('public.leads')"):
        report(
            "Row level security of public.leads binds this role too, so private.lead_contacts would miss posts that a "
            "policy hides. Run `make migrate` as the owner of public.leads."
        )
    if not _contacts_are_stale(connection, leads):
        return
    try:
        with connection.transaction():
            connection.execute("set local lock_timeout = '5s'")
            connection.execute(contacts_function(leads))
    except (*NOT_FITTING, psycopg.errors.InsufficientPrivilege) as error:
        report(
            f"{_does_not_fit(LEADS, error)} Its tables and functions are named with their schema, as in public.leads. "
            "private.lead_contacts was not changed."
        )
    else:
        report(f"private.lead_contacts now tells double posts as include/sql/{LEADS} says")


def problems(connection: psycopg.Connection, role: str = PIPELINE, leads: str | None = None) -> list[str]:
    """What keeps `role` from reading what the adapters name, or lets it read more; one sentence each with its remedy.

    Changes nothing: what it makes is rolled back.
    """
    found: list[str] = []
    for name in (LEADS, CAPACITY):
        text = render(name, leads if name == LEADS else None)
        with _rolled_back(connection):
            try:
                connection.execute(f"create temporary view adapter as {text}")
            except NOT_FITTING as error:
                found.append(_does_not_fit(name, error))
                continue
            except psycopg.errors.InsufficientPrivilege as error:
                said = error.diag.message_primary
                found.append(f"What include/sql/{name} needs cannot be asked as this role: {said}")
                continue
            found += _of_adapter(connection, name, role)
    if not found and _contacts_are_stale(connection, leads):
        found.append(
            f"private.lead_contacts does not tell double posts as include/sql/{LEADS} says: run `make migrate` as the "
            "database's owner"
        )
    return found


def _of_adapter(connection: psycopg.Connection, name: str, role: str) -> Iterator[str]:
    used = {(relation, column) for relation, _, column in connection.execute(_USED)}
    if name == LEADS:
        if _value(
            connection,
            "select exists (select from pg_attribute where attrelid = 'pg_temp.adapter'::regclass "
            "and attname = 'contact')",
        ):
            yield (
                f"include/sql/{name} gives the pipeline the column contact, which is made of personal data: put that "
                "line between {%- if with_contact | default(false) %} and {%- endif %}, as it is in the file of this "
                "repository, and run `make migrate`"
            )
            return
        for table, columns in ALWAYS.items():
            relation = _value(connection, "select %s::regclass::oid", table)
            used |= {(relation, column) for column in columns}
    values = {"relations": [oid for oid, _ in used], "columns": [column for _, column in used], "role": role}
    for table, columns in connection.execute(_MISSING, values):
        yield f"{role} may not read what include/sql/{name} names: grant select ({columns}) on {table} to {PIPELINE};"
    if name == LEADS:
        needed = [*GRANTED, *(column for _, column in used)]
        if beyond := _value(connection, _BEYOND, {"needed": needed, "role": role}):
            yield (
                f"{role} may read columns of public.leads that no statement needs ({beyond}), which may be personal "
                "data: revoke that right from whom it was granted to (\\dp public.leads in psql shows it), then run "
                "the same check again"
            )


def _does_not_fit(name: str, error: psycopg.Error) -> str:
    said = error.diag.message_primary or str(error).strip()
    return f"include/sql/{name} does not fit the company's table: {said}. Edit that file, then run `make migrate`."


def _contacts_are_stale(connection: psycopg.Connection, leads: str | None) -> bool:
    stored = _value(connection, "select prosrc from pg_proc where oid = to_regprocedure(%s)", CONTACTS)
    return stored is None or str(stored).split() != render("reading/lead_contacts.sql", leads).split()


def _value(connection: psycopg.Connection, query: str, parameter: object = None) -> object:
    values = parameter if isinstance(parameter, dict) or parameter is None else [parameter]
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None


@contextmanager
def _rolled_back(connection: psycopg.Connection) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        yield
