"""The file in which torchrun looks for why a rank has ended: with it, torchrun's own summary ends with our line."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from tvo_cli.parallel.launched_process import LaunchedProcess

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


def is_first_to_refuse(place: LaunchedProcess) -> bool:
    """Whether this process says a refusal that all of them see before they have met: one does.

    torchrun ends the others as soon as one has left, so it is the first of a machine, by a file beside those that
    torchrun names; without torchrun it is rank 0.
    """
    path = Path(os.environ.get(VARIABLE, ""))
    if path.parent.name != str(place.local_rank):  # of its own layout: ATTEMPT/LOCAL_RANK/error.json
        return place.leads
    try:
        os.close(os.open(path.parents[1] / "tvo-refused", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except OSError as error:
        return place.leads and not isinstance(error, FileExistsError)
    return True
