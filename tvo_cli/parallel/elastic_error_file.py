"""The file in which torchrun looks for why a rank has ended: with it, torchrun's own summary ends with our line."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "TORCHELASTIC_ERROR_FILE"  # which torchrun sets for each of its ranks


def write_elastic_error_file(text: str) -> None:
    """Leave the reason of this process's failure for torchrun; nothing where it was not started by it.

    torchrun shows `py_callstack` of the rank that failed first, by its `timestamp` in whole seconds.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    told = {"message": text, "extraInfo": {"py_callstack": text, "timestamp": str(int(time.time()))}}
    with suppress(OSError):  # our own line is on the screen already
        Path(path).write_text(json.dumps({"message": told}), encoding="utf-8")
