"""Names that a `_target_` had earlier and what they are called now: recorded configs go on building.

Fingerprints are taken with the earliest names, so that a finished job of a sweep is known again.
"""

from __future__ import annotations

from collections.abc import Mapping

PIECES = "tvo_cli.objective.pieces"
MOVED = {
    "tvo_cli.stability.collapse": "tvo_cli.stability.collapse_rules",  # a module: everything in it
    "tvo_cli.stability.start_rules.EntropyRise": "tvo_cli.stability.entropy_rise.EntropyRise",
    "tvo_cli.stability.start_rules.EvaluationDrop": "tvo_cli.stability.evaluation_drop.EvaluationDrop",
    f"{PIECES}.clip": "tvo_cli.maths.surrogates.clipped_surrogate",
    f"{PIECES}.dual_clip": "tvo_cli.maths.surrogates.dual_clipped_surrogate",
    f"{PIECES}.capped": "tvo_cli.maths.surrogates.capped_surrogate",
    f"{PIECES}.importance": "tvo_cli.maths.surrogates.importance_weighted",
    f"{PIECES}.token_ratio": "tvo_cli.maths.importance_ratio.token_ratio",
    f"{PIECES}.response_ratio": "tvo_cli.maths.importance_ratio.response_ratio",
    f"{PIECES}.token_mean": "tvo_cli.objective.reduction.token_mean",
    f"{PIECES}.sequence_mean": "tvo_cli.objective.reduction.sequence_mean",
    f"{PIECES}.constant_length": "tvo_cli.objective.reduction.constant_length",
    f"{PIECES}.reference_kl": "tvo_cli.objective.penalty_terms.reference_kl",
    f"{PIECES}.reference_kl_k2": "tvo_cli.objective.penalty_terms.reference_kl_k2",
    f"{PIECES}.negative_entropy": "tvo_cli.objective.penalty_terms.negative_entropy",
    f"{PIECES}.plain_advantage": "tvo_cli.objective.token_function.plain_advantage",
    f"{PIECES}.every_token": "tvo_cli.objective.token_function.every_token",
}


def current_target(name: str) -> str:
    """The present dotted name of what a `_target_` names; a name that has not moved is itself."""
    return _name_in_moved_targets(name, MOVED)


def target_before_move(name: str) -> str:
    """The dotted name that it had at first."""
    return _name_in_moved_targets(name, {now: before for before, now in MOVED.items()})


def _name_in_moved_targets(name: str, table: Mapping[str, str]) -> str:
    module, _, attribute = name.rpartition(".")
    return table.get(name) or (f"{table[module]}.{attribute}" if module in table else name)
