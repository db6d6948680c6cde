"""The tests of the sandbox itself break and change it as they like: they share one that nobody else uses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, serving


@pytest.fixture(scope="package")
def sandbox(sandbox_keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox of this package."""
    with serving(tmp_path_factory.mktemp("sandbox") / "home", sandbox_keys) as server:
        yield server
