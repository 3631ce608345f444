"""The values of a reward's terms, unweighted, one a response: built-in terms and the user's functions together."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tvo_cli.reward.reward_sum import Opinions
from tvo_cli.training.batch import Components, join_function_rewards
from tvo_cli.types import Rollout, Verdict

if TYPE_CHECKING:
    from tvo_cli.training.batch import RolloutBatch
    from tvo_cli.training.session import Session


def terms_of_batch(session: Session, batch: RolloutBatch) -> dict[str, Opinions]:
    """The terms of a rollout batch, a value a response; of a branch's too, which the user's functions have not seen."""
    drawn = batch.drawn
    parts = [drawn.chosen] if drawn.branch is None else [drawn.chosen, drawn.branch]
    components = join_function_rewards([part.components for part in parts])
    return terms_of_responses(session, batch.rollout, batch.verdicts, components)


def terms_of_responses(
    session: Session, rollout: Rollout, verdicts: Sequence[Verdict], components: Components
) -> dict[str, Opinions]:
    """Every term of the reward that has a weight, unweighted, a value a response."""
    lengths, finished = rollout.mask.sum(1).tolist(), rollout.finished.tolist()
    weights = session.functions.weights
    return dict(session.rewards.terms(verdicts, rollout.texts, lengths, finished)) | {
        name: found.values for name, found in components.items() if weights[name]
    }


def mean_term_values(terms: Mapping[str, Opinions]) -> dict[str, float]:
    """The mean of each term over the responses of which it has an opinion; one without any is left out."""
    stated = {name: [value for value in values if value is not None] for name, values in terms.items()}
    return {name: statistics.fmean(values) for name, values in stated.items() if values}
