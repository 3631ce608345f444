"""`python -m tvo_cli` is `tvo`."""

from tvo_cli.cli.main import run

run()
