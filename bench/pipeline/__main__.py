"""`python -m bench.pipeline`: what a morning costs, each figure against a limit that was measured in the same run.

python -m bench.pipeline             every size that is promised, written to docs as well
python -m bench.pipeline --quick     the same with little data, printed only: a minute
python -m bench.pipeline --only ac   some of the figures, printed only

It needs some 8 GB of disk below the temporary folder, and gives it back.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "plugins"))

from bench.pipeline import gaps, leads, mornings, parsing, report, writing  # noqa: E402
from bench.pipeline.measure import SCALES, Findings, Scale, Server  # noqa: E402

# Which figures a measurement gives, and whether it needs a database alone.
SQL_PARTS: dict[str, Callable[[Server, Scale, Path], Findings]] = {
    "ab": writing.measure,
    "c": leads.measure,
    "d": gaps.measure,
}
AIRFLOW_PARTS: dict[str, Callable[[Scale, Path], Findings]] = {"f": parsing.measure, "e": mornings.measure}


def main() -> int:
    """Measure, print the table, and say of each aim whether it is met."""
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little data; shows that it works, and nothing else")
    parser.add_argument("--only", default="abcdef", help="letters of the figures to measure")
    options = parser.parse_args()
    scale = SCALES["small" if options.quick else "default"]
    found = Findings()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as name:
        folder = Path(name)
        asked = set(options.only)
        if chosen := {letters: measure for letters, measure in SQL_PARTS.items() if asked & set(letters)}:
            server = Server(folder, durable=not options.quick)
            try:
                found.server = server.version
                for letters, measure in chosen.items():
                    _say(letters, begun)
                    found += measure(server, scale, folder)
            finally:
                server.remove()
        for letters, measure in AIRFLOW_PARTS.items():
            if letters in asked:
                _say(letters, begun)
                found += measure(scale, folder)
    minutes = (time.monotonic() - begun) / 60
    text = report.markdown(found, scale, minutes)
    print(text)
    if not options.quick and options.only == parser.get_default("only"):
        (ROOT / "docs" / report.PAGE).write_text(text)
    return 0


def _say(letters: str, begun: float) -> None:
    print(f"{time.monotonic() - begun:6.0f} s  measuring {', '.join(letters)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
