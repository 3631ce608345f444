"""Evaluation: held-out problems, samples, verdicts, intervals."""

from tvo_cli.evaluation.heldout import Evaluation, HeldOut

__all__ = ["Evaluation", "HeldOut"]
