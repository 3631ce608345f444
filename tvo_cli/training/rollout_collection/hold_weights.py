"""The weights that are trained, at those who sample from them: before a batch, before an evaluation."""

from __future__ import annotations

from tvo_cli.training.session import Session
from tvo_cli.training.stopwatch import Stopwatch


def hold_weights(session: Session, clock: Stopwatch) -> None:
    """Have the sampler hold the weights of this step, unless it does; of several ranks the first hands them over.

    All put sharded weights together first, and nobody talks to a server meanwhile: a rank that does is waited for.

    Raises:
        UserError: on every rank, where one could not write them or a server does not hold them.
    """
    sampler, policy, ranks = session.sampler, session.learner.policy, session.ranks
    version = (session.counters.step, session.counters.rollbacks + session.counters.refused)
    if not sampler.exchanges or sampler.version == version:
        return
    sampler.version = version
    with clock("exchange"), session.learner.autocast():
        ranks.gather_results(lambda: sampler.write(policy, writes=ranks.is_first), bool)
        with policy.gathered():
            ranks.run_on_first(lambda: sampler.hand_over(policy), bool)
