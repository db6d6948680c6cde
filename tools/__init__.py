"""What is done to a checkout and to a database: the environment, migrations, generated pages, lints, the image."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
