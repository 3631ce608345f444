"""Agentic AEPO beside its authors' code.

The commit is theirs and stands in a fork; the snapshots of dongguanting/ARPO and RUC-NLPIR/ARPO are older than it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import (
    LENGTH,
    PROMPTS,
    RESPONSES,
    WORDS,
    Outcome,
    RandomBatch,
    algorithm_of,
    drifted,
    loss_of,
)
from benchmarks.authors.released_code import Released, ReleasedAssignments
from benchmarks.authors.verl_arguments import core_algorithms, graded, scored
from tvo_cli import config
from tvo_cli.rollout import SegmentBranches
from tvo_cli.rollout.branching.branching_rule import GrownResponses
from tvo_cli.types import Rollout

REPOSITORY, COMMIT = "multi-agent-deep-research/ARPO", "81e3a5d77c21bc382bc585656ac4278e253b5c35"
FOLDER = "AEPO/verl_aepo_entropy/verl"
of_file = partial(Released, REPOSITORY, COMMIT)
NAMES = ("compute_grpo_outcome_advantage", "compute_policy_loss_entropy_balanced_clipping")
LOSS = core_algorithms(REPOSITORY, COMMIT, *NAMES, folder=FOLDER)
ROLLOUT = f"{FOLDER}/workers/rollout/vllm_rollout/vllm_rollout_with_tools.py"
BRANCH = ReleasedAssignments(
    *(REPOSITORY, COMMIT, ROLLOUT),
    "vLLMRolloutWithTools.generate_sequences",
    ("entropy_now", "entropy_init", "entropy_delta", "prob", "consecutive_branches", "penalty_factor"),
    (of_file(ROLLOUT, ("vLLMRolloutWithTools._calc_entropy",)),),
)
INITIAL = ReleasedAssignments(
    *(REPOSITORY, COMMIT, ROLLOUT),
    "vLLMRolloutWithTools._calculate_initial_rollouts_dynamical",
    ("entropy_diff", "sigmoid_input", "sigmoid_value", "num_samples", "initial_rollouts"),
    (of_file(ROLLOUT, ("vLLMRolloutWithTools._calc_entropy",)),),
)
DRIFT = 4.0  # of the drawn ratios none is above 3
SEGMENTS, SEGMENT = 3, 1  # of LENGTH tokens; the one at whose end is branched
WIDTH = LENGTH // SEGMENTS
NEAR = 1e-9


def loss(code: SimpleNamespace, drawn: RandomBatch) -> Pair:
    """Group advantage, the advantage by entropy, the clip and the token mean, of both."""
    batch = drifted(drawn, DRIFT)
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    theirs, *_ = code.compute_policy_loss_entropy_balanced_clipping(
        **scored(batch, advantage),
        entropy=batch.entropy,
        enable_entropy_balanced_clipping=True,
        enable_entropy_balanced_advantage=True,
        cliprange=0.2,
    )
    return batch.outcome(theirs), loss_of("aepo_agentic", batch)


@dataclass(frozen=True)
class Drawn(GrownResponses):
    """Responses whose random numbers are given."""

    numbers: tuple[tuple[float, ...], ...] = ()  # of each prompt, one a response

    def random_numbers(self, prompt: int, about: str, number: int, count: int) -> list[float]:
        """Those of the prompt, whatever they are for."""
        return [*self.numbers[prompt], *([0.0] * count)][:count]


def grown_of(batch: RandomBatch) -> Drawn:
    """Full-length responses with the entropies of the logits; the first of each second prompt branched before."""
    rows = PROMPTS * RESPONSES
    blank, whole = torch.zeros(rows, LENGTH, dtype=torch.int64), torch.ones(rows, LENGTH, dtype=torch.bool)
    first = torch.arange(rows) % (2 * RESPONSES) == 0
    rollout = Rollout(
        prompt_ids=blank[:, :1],
        prompt_mask=whole[:, :1],
        response_ids=blank,
        mask=whole,
        logp=batch.experience.old_logp,
        finished=whole[:, 0],
        group=batch.experience.group,
        texts=("",) * rows,
        prefix=first * WIDTH,
    )
    log_pi = batch.logits.log_softmax(-1)
    uniform = batch.logits.softmax(-1)[:, 0, 0].view(PROMPTS, RESPONSES)
    return Drawn(
        rollout=rollout,
        entropy=-(log_pi.exp() * log_pi).sum(-1),
        words=whole,
        keys=tuple(map(str, range(PROMPTS))),
        samples=100,
        seed=0,
        vocabulary=WORDS,
        numbers=tuple(tuple(each) for each in uniform.tolist()),
    )


def entropy_of_segment(code: SimpleNamespace, batch: RandomBatch, row: int, segment: int) -> float:
    """The authors' summed entropy of a segment's tokens, in units of ln V."""
    tokens = batch.logits.log_softmax(-1)[row, segment * WIDTH : (segment + 1) * WIDTH]
    return float(code._calc_entropy(None, tokens.flatten().tolist())) / math.log(WORDS)


def rule_of(*overrides: str) -> SegmentBranches:
    """The recipe's rule for so few tokens."""
    chosen = (f"segments={SEGMENTS}", f"longest={LENGTH}", *overrides)
    settings = (f"algorithm.branching.{each}" for each in chosen)
    rule: SegmentBranches = config.build(algorithm_of("aepo_branching", *settings).branching)
    return rule


def chances_of(code: SimpleNamespace, batch: RandomBatch, grown: Drawn) -> list[float]:
    """The authors' probability that each response branches."""
    found = []
    for row, prompt in enumerate(batch.experience.group.tolist()):
        sampler = SimpleNamespace(
            entropy_weight=0.2,
            initial_entropy_dict={row: entropy_of_segment(code, batch, row, 0)},
            consecutive_branches={prompt: int(prompt % 2 == 0)},
        )
        number = grown.numbers[prompt][row % RESPONSES]
        given = {"self": sampler, "source_idx": row, "orig_sample": prompt}
        entropies = {"current_entropy_dict": {row: entropy_of_segment(code, batch, row, SEGMENT)}}
        uniform = SimpleNamespace(random=lambda number=number: number)
        found.append(code.run(**given, **entropies, random=uniform).prob)
    return found


def branches(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Which responses branch at thresholds just below and just above the authors' probability of each."""
    grown = grown_of(batch)
    chances = chances_of(code, batch, grown)
    rule = rule_of()

    def branched(threshold: float) -> set[int]:
        """The responses that branch at a threshold."""
        return {cut.row for cut in replace(rule, threshold=threshold).cuts(grown, SEGMENT)}

    below = [float(row in branched(chance - NEAR)) for row, chance in enumerate(chances)]
    above = [float(row in branched(chance + NEAR)) for row, chance in enumerate(chances)]
    ours = torch.tensor([below, above], dtype=torch.float64)
    return outcome_of(torch.ones_like(ours) * torch.tensor([[1.0], [0.0]])), outcome_of(ours)


def initial(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """How many responses of each prompt are sampled from it, by the first one as a trial."""
    grown = grown_of(batch)
    cuts = rule_of("initial=null").cuts(grown, 0)  # at their very start, so these are sampled from the prompt, too
    trials = [rows[0] for rows in grown.rows]
    theirs = [first_by_trial(code, batch, grown.samples, row) for row in trials]
    ours = [1 + sum(cut.row == row for cut in cuts) for row in trials]
    return outcome_of(torch.tensor(theirs)), outcome_of(torch.tensor(ours))


def first_by_trial(code: SimpleNamespace, batch: RandomBatch, samples: int, row: int) -> int:
    """The authors' number of responses of a prompt by the entropies of its trial's segments."""
    first, *others = (entropy_of_segment(code, batch, row, segment) for segment in range(SEGMENTS))
    sampler = SimpleNamespace(sampling_params=SimpleNamespace(n=samples))
    step = sum(others) / len(others)
    found: int = code.run(self=sampler, i=0, initial_entropies=[first], avg_step_entropy=step).initial_rollouts
    return found


def outcome_of(numbers: Tensor) -> Outcome:
    """Numbers in place of a gradient, and their mean in place of a loss."""
    return Outcome(numbers.double().mean(), numbers.double())


NUMBERS = "in place of a gradient, their mean in place of a loss"
COMPARISONS = [
    Comparison(
        "aepo_agentic",
        LOSS,
        loss,
        f"the whole recipe, log-ratios times {DRIFT:g}",
        differs="the released scripts compute no entropy, so that their advantage does nothing",
    ),
    Comparison(
        "aepo_branching",
        BRANCH,
        branches,
        f"which responses branch at the end of a segment, at thresholds {NEAR:g} beside their probabilities, {NUMBERS}",
        {"math": math},
        "segments for tool calls; H_0 of a branch is of the tokens that it took over, there of its own first ones; "
        "there H_0 of a place in the batch is kept from the first batch on",
    ),
    Comparison("aepo_branching", INITIAL, initial, f"n₀ by a trial's segments, {NUMBERS}", {"math": math}),
]
