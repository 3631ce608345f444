"""The fingerprint of a data set: a sha256 by which two runs know that they saw the same problems."""

from __future__ import annotations

import hashlib
import json

from tvo_cli.data.problems import Problems

FINGERPRINTED = 1000  # rows; of a data set without end, FINGERPRINTED_ENDLESS problems
FINGERPRINTED_ENDLESS = 64


def problems_fingerprint(problems: Problems) -> str:
    """Return the sha256 over the size and the ids, questions and answers of the first problems.

    Two runs with equal fingerprints saw the same data, whatever it was called.
    """
    endless = problems.size is None
    count = FINGERPRINTED_ENDLESS if problems.size is None else min(problems.size, FINGERPRINTED)
    digest = hashlib.sha256(b"endless" if endless else str(problems.size).encode())
    for index in range(count):
        problem = problems.problem(index)
        row = (problem.id, problem.question, problem.answer, problem.scorer, *problem.turns)
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()
