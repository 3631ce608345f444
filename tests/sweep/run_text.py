"""`python -m tests.sweep.run_text PROGRAM`: a job that runs a program given as text."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    exec(sys.argv[1], {"__name__": "__main__"})
