"""All failures that a diagnosis looks for. A new one: a file in failures/, a line here."""

from __future__ import annotations

from tvo_cli.diagnosis.failures.accuracy_collapse import ACCURACY_COLLAPSE
from tvo_cli.diagnosis.failures.entropy_collapse import ENTROPY_COLLAPSE

FAILURES = (ACCURACY_COLLAPSE, ENTROPY_COLLAPSE)
BY_NAME = {failure.name: failure for failure in FAILURES}
