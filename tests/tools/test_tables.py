"""The picture of the tables: what the migrations say, and a loud failure for what the reader does not know."""

from pathlib import Path

import pytest

from tools import tables


def read(folder: Path, *files: str) -> dict[str, tables.Table]:
    for number, text in enumerate(files):
        (folder / f"{number}.sql").write_text(text)
    return tables.read(folder)


BRANCHES = """
-- a comment; with a semicolon, and (a parenthesis
create table public.branches (
    id uuid primary key default gen_random_uuid(),
    code text not null unique,
    price numeric(14, 6) check (price >= 0 and price <> 9), /* another; comment */
    constraint branches_code_check check (code ~ '^[a-z;,(]+$')
);
comment on table public.branches is
'It''s one row per branch; '
'in one country.';
"""
VISITS = """
create table public.visits (
    branch_id uuid not null references public.branches (id) on delete restrict,
    date date not null,
    before uuid references public.branches (id),
    primary key (branch_id, date)
);
"""


def test_columns_keys_and_foreign_keys_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, BRANCHES, VISITS)
    assert found["branches"].meaning == "It's one row per branch; in one country."
    assert list(found["branches"].columns) == ["id", "code", "price"]
    assert found["branches"].primary == ("id",)
    assert found["visits"].primary == ("branch_id", "date")
    picture = tables.diagram(found)
    assert "        text code UK\n" in picture and "        uuid branch_id PK, FK\n" in picture
    assert "price" not in picture, "a column of no key"
    assert '    branches ||--o{ visits : "branch_id"\n' in picture
    assert picture.endswith('    branches |o--o{ visits : "before"'), "a reference that may be NULL"


def test_a_later_migration_changes_what_an_earlier_one_made(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        BRANCHES + VISITS,
        """
        alter table public.visits drop constraint visits_pkey;
        alter table public.visits add column id bigint generated always as identity, add column who text[];
        alter table public.visits add constraint visits_pkey primary key (id),
        add constraint visits_key unique nulls not distinct (branch_id, date);
        create unique index concurrently visits_open_key on public.visits (branch_id) where before is null;
        alter table public.visits drop constraint visits_before_fkey;
        create unique index branches_price_key on public.branches (price);
        drop index concurrently if exists public.branches_price_key;
        """,
    )
    visits = found["visits"]
    assert visits.primary == ("id",)
    assert [key.columns for key in visits.keys.values()] == [("id",), ("branch_id", "date"), ("branch_id",)]
    assert visits.keys["visits_open_key"].where == "before is null"
    assert list(visits.foreign_keys) == ["visits_branch_id_fkey"]
    assert list(found["branches"].keys) == ["branches_pkey", "branches_code_key"]


def test_a_table_that_only_is_extended_belongs_to_the_company(tmp_path: Path) -> None:
    found = read(tmp_path, BRANCHES + "alter table public.leads add column branch_id uuid;")
    assert not found["leads"].ours and found["branches"].ours


@pytest.mark.parametrize(
    "statement",
    [
        "alter table public.branches rename to trades",
        "alter table public.branches rename column code to name",
        "alter table public.branches add constraint other exclude using gist (code with =)",
        "alter table if exists public.branches add column more text",
        "create table if not exists public.others (id uuid)",
        "create table public.others (id uuid references auth.users (id))",
        "create table public.others (like public.branches)",
        "create unlogged table public.others (id uuid)",
        "create unique index nulls_key on public.branches (code) nulls not distinct",
        "create unique index on public.branches (code)",
        "create materialized view public.others as select 1",
        "do $$ begin create table public.others (id uuid); end $$",
        "comment on table public.others is 'a table that nobody made'",
        "truncate public.branches",
    ],
)
def test_a_statement_of_an_unknown_form_fails_with_its_file(tmp_path: Path, statement: str) -> None:
    with pytest.raises(tables.NotUnderstood, match=r"^1\.sql: "):
        read(tmp_path, BRANCHES, f"{statement};")
