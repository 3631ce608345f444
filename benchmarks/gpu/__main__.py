"""The command `python -m benchmarks.gpu`: first whether what it needs is there, by the standard library alone."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace
from functools import partial

from benchmarks.gpu import requirements


def main() -> None:
    """Check, then measure; the minutes count from here, the import of torch included."""
    begun = time.monotonic()
    if lines := requirements.complaints():
        print("\n".join(lines), file=sys.stderr)
        raise SystemExit(2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the part under way is ended too
    from benchmarks.gpu.benchmark import BENCHMARK, measure

    replace(BENCHMARK, measure=partial(measure, begun=begun)).main()


if __name__ == "__main__":
    main()
