"""Each entry of the registry says what its channel really is, fills and finds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lead_demand.channels import registry
from lead_demand.channels.spec import ChannelSpec
from lead_demand.database.sql import SQL_FOLDER
from tests.fixtures.findings import codes_in, constants_of

ROOT = Path(__file__).resolve().parents[2]
ROOM = ROOT / "plugins" / "lead_demand" / "channels"
# Statements of lead_stats that read a channel out of the company's own tables, and what is said of it.
OF_TABLES = {
    "leads": ["insert_pipeline_findings_leads.sql"],
    "partner_capacity": ["insert_pipeline_findings_capacity.sql", "insert_pipeline_findings_partners.sql"],
}
# Run by the tests below in a process of their own: names of modules that are loaded, and the channels.
LIST = "from lead_demand.channels import registry; print(*registry.pulled())"


def python(code: str, *folders: Path) -> str:
    paths = ":".join(map(str, [*folders, ROOT / "plugins"]))
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"PYTHONPATH": paths}
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def files_of(spec: ChannelSpec) -> list[Path]:
    """The channel's own modules: one, or all of its package."""
    module = ROOT / "plugins" / f"{(spec.module or f'lead_demand.channels.{spec.channel}').replace('.', '/')}.py"
    if module.parent != ROOM:
        return sorted(module.parent.glob("*.py"))
    return [module] if module.exists() else []


def raised_in(path: Path) -> Iterator[str]:
    """The names of the findings that a module makes, as literals or as its constants."""
    tree = ast.parse(path.read_text())
    constants = constants_of(tree)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        name: Any = None
        if function == "Finding":
            name = call.args[0] if call.args else given["name"]
        elif function == "Doubt":
            name = given.get("name", ast.Constant("partial_report"))
        elif function == "_leave_out":
            name = given["name"]
        yield from codes_in(name, constants)


def raised_by_statement(file: str) -> set[str]:
    text = (SQL_FOLDER / "lead_stats" / file).read_text()
    return set(re.findall(r"\bselect(?:\s+distinct)?\s+'([a-z]+(?:_[a-z]+)+)'", text)) | set(
        re.findall(r"\(\s*'((?:lead|leads|missing|capacity|segment|absence)_[a-z_]+)'\s*\)", text)
    )


def test_every_finding_that_a_channel_makes_is_in_its_entry() -> None:
    own = {spec.channel: {name for path in files_of(spec) for name in raised_in(path)} for spec in registry.OURS}
    for channel, files in OF_TABLES.items():
        own[channel] |= {name for file in files for name in raised_by_statement(file)}
    assert own["ga4"] and own["leads"] and own["partner_capacity"], "names are found in Python and in SQL"
    for channel, names in own.items():
        assert names <= set(registry.CHANNELS[channel].findings), channel


def test_every_finding_of_the_steps_that_all_share_is_in_an_entry_and_no_entry_has_others() -> None:
    raised = {name for path in ROOM.rglob("*.py") for name in raised_in(path)}
    raised |= {name for files in OF_TABLES.values() for file in files for name in raised_by_statement(file)}
    assert raised == {name for spec in registry.OURS for name in spec.findings}


@pytest.mark.parametrize("channel", registry.pulled())
def test_an_entry_leads_to_the_class_of_its_channel(channel: str) -> None:
    spec = registry.CHANNELS[channel]
    assert spec.module is not None
    found = import_module(spec.module).CHANNEL
    assert found.channel == channel
    assert {total.column for total in found.sums}, "whether it adds up is asked of every channel"
    assert spec.is_paid == hasattr(found, "set_budgets")
    assert ("spend_micros" in found.metrics) == spec.is_paid


def test_a_channel_that_is_not_pulled_or_not_paid_is_refused_by_name() -> None:
    for channel in ("leads", "no_such_channel"):
        with pytest.raises(LookupError, match=f"{channel} is no channel that is pulled"):
            registry.get(channel)
    for channel in ("ga4", "no_such_channel"):
        with pytest.raises(LookupError, match=f"{channel} is no paid channel"):
            registry.get_paid(channel)


@pytest.mark.parametrize("bad", [{"channel": "Bing Ads"}, {"restated_days": 0}, {"read_at_once": 0}])
def test_an_entry_that_airflow_could_not_use_is_refused(bad: dict[str, Any]) -> None:
    good: dict[str, Any] = {"channel": "bing_ads", "module": "bing", "restated_days": 1, "findings": ()}
    assert ChannelSpec(**good).is_pulled
    with pytest.raises(ValueError, match=str(next(iter(bad.values()))) if "channel" in bad else "at least 1"):
        ChannelSpec(**good | bad)


def test_importing_the_registry_loads_nothing_heavy() -> None:
    loaded = python("import sys; import lead_demand.channels.registry; print(*sys.modules)").split()
    heavy = {
        "pandas",
        "numpy",
        "google.ads",
        "google.auth",
        "google.api_core",
        "grpc",
        "airflow",
        "psycopg",
        "googleapiclient",
    }
    assert "lead_demand.channels.registry" in loaded and not heavy & set(loaded)


ADDED = """
from lead_demand.channels.spec import OF_ROWS, ChannelSpec

CHANNELS = (ChannelSpec(channel="{name}", module="lead_demand_channels.own", restated_days=2, findings=OF_ROWS),)
"""


def test_a_package_on_the_import_path_adds_a_channel(tmp_path: Path) -> None:
    ours = python(LIST)
    (tmp_path / "lead_demand_channels").mkdir()
    entries = tmp_path / "lead_demand_channels" / "__init__.py"
    entries.write_text(ADDED.format(name="reviews"))
    assert python(LIST, tmp_path) == f"{ours} reviews"
    entries.write_text(ADDED.format(name="ga4"))
    with pytest.raises(AssertionError, match="two entries of the registry are named ga4"):
        python(LIST, tmp_path)
