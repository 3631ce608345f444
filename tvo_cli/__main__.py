"""`python -m tvo_cli` is `tvo`: the entry point of both, which a Ctrl-C during its imports ends without a traceback."""

import sys


def run() -> None:
    """Run the console script `tvo`."""
    try:
        from tvo_cli.cli.main import run
    except KeyboardInterrupt:
        print("tvo: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    run()
