"""Every failure printed as one line that says what to change. Tracebacks are for internal errors."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from tvo_cli import escaping
from tvo_cli.job.failure_description import INTERNAL_ERROR, describe_failure
from tvo_cli.parallel.elastic_error_file import write_elastic_error_file


def report_failure(
    error: BaseException, *, debug: bool = False, overrides: Sequence[str] = (), root: str = "train"
) -> int:
    """Print a failure as one line on stderr; return the exit code."""
    from tvo_cli.redaction import without_secrets

    text, code = describe_failure(error, overrides, root)
    if debug or code == INTERNAL_ERROR:
        print(escaping.lines(without_secrets("".join(traceback.format_exception(error)))), end="", file=sys.stderr)
    line = f"tvo: {escaping.terminal(without_secrets(text))}"
    print(line, file=sys.stderr)
    write_elastic_error_file(line)
    return code
