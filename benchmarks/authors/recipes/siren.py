"""SIREN beside its authors' fork of verl."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import LENGTH, WORDS, Outcome, RandomBatch, algorithm_of, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import ON_CPU, Settings
from benchmarks.authors.verl_arguments import core_algorithms, graded, on_tokens
from tvo_cli import config
from tvo_cli.maths.nucleus import nucleus_entropy

REPOSITORY, COMMIT = "Linn3a/siren", "fa59a8dfbecf5c3936ed905d5902a06c0ca425ee"
MASS = QUANTILE = 0.8
COEFFICIENT, ANCHOR = 1.0, 1.5  # at the released 5e-3 the gradient would be the policy loss's
DUAL = 1.3  # the bound of the dual clip: at the released 3 it hardly acts on so small a drift
GRID = 4096.0  # entropies are rounded to multiples of 1/4096, which float32 holds: theirs takes quantiles in float32
OVERRIDES = (
    "algorithm.objective.nucleus.crossing=false",
    "algorithm.objective.penalties.siren.term.count_empty=true",
    f"algorithm.objective.penalties.siren.coef.value={COEFFICIENT}",
    f"algorithm.objective.penalties.siren.anchor={ANCHOR}",
    f"algorithm.objective.surrogate.dual={DUAL}",
    f"algorithm.objective.reduce.length={LENGTH}",
)


class Minibatch(dict[str, Tensor]):
    """Stand-in for verl's batch: one minibatch, which is one micro-batch, where it is."""

    def split(self, _: int) -> list[Minibatch]:
        """Return the whole."""
        return [self]

    def to(self, _: str) -> Minibatch:
        """Stay."""
        return self


def actor_of(entropy: Tensor, logp: Tensor) -> SimpleNamespace:
    """Stand-in for the actor, with the released settings; a model's scores are these."""
    config = Settings(
        ppo_mini_batch_size=1,
        ppo_micro_batch_size_per_gpu=1,
        ppo_epochs=1,
        use_dynamic_bsz=False,
        use_kl_loss=False,
        clip_ratio=0.28,
        clip_ratio_low=0.2,
        clip_ratio_high=0.2,
        clip_ratio_c=DUAL,
        loss_agg_mode="seq-mean-token-sum-norm",
    )
    return SimpleNamespace(
        config=config,
        actor_module=SimpleNamespace(train=lambda: None),
        actor_optimizer=SimpleNamespace(zero_grad=lambda: None),
        _forward_micro_batch=lambda **_: (entropy, logp, None),
        _optimizer_step=lambda: torch.zeros(()),
        experiment_type="siren",
        entropy_agg_mode="seq-mean-token-mean",
        mask_ratio=QUANTILE,
        use_siren=True,
        no_entropy_loss=False,
        entropy_coeff=COEFFICIENT,
        entropy_anchor=logp.new_tensor(ANCHOR),
    )


def on_grid(entropy: Tensor, mask: Tensor) -> Tensor:
    """Entropies rounded, 0 on padding, with the gradient of those that are not."""
    rounded = (entropy * GRID).round() / GRID
    return torch.where(mask, entropy + (rounded - entropy).detach(), 0.0)


def by_logits(batch: RandomBatch) -> RandomBatch:
    """The batch with log π from its logits, which are a new leaf."""
    logits = batch.logits.clone().requires_grad_()
    return replace(batch, logp=logits.log_softmax(-1)[..., 0], logits=logits)


def their_outcome(code: SimpleNamespace, batch: RandomBatch) -> Outcome:
    """A whole update of their actor on the batch."""
    flat = batch.logits.flatten(0, 1)
    entropy = code.efficient_top_p_sampling(flat, k=WORDS, p=MASS)[0].view_as(batch.mask)
    actor = actor_of(on_grid(entropy, batch.mask), batch.logp)
    minibatch = Minibatch(
        responses=batch.mask,
        attention_mask=on_tokens(batch),
        old_log_probs=batch.experience.old_logp,
        advantages=code.compute_grpo_outcome_advantage(**graded(batch), norm_adv_by_std_in_grpo=False)[0],
    )
    chosen = SimpleNamespace(batch=minibatch)
    data = SimpleNamespace(meta_info={"temperature": 1.0}, non_tensor_batch={}, select=lambda **_: chosen)
    found: dict[str, float] = code.update_policy(actor, data)
    assert batch.logits.grad is not None
    loss = found["actor/pg_loss"] + COEFFICIENT * found["actor/mse_entropy_loss"]
    return Outcome(batch.logits.new_tensor(loss), batch.logits.grad)


def siren(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both hold the entropy of peak tokens inside the nucleus at the anchor, besides the clipped loss of Dr.GRPO."""
    own = by_logits(batch)
    nucleus = config.build(algorithm_of("siren", *OVERRIDES).objective).nucleus
    entropy = nucleus_entropy(own.logits.log_softmax(-1).flatten(0, 1), nucleus)
    inside = on_grid(entropy.view_as(batch.mask), batch.mask)
    ours = loss_of("siren", own, *OVERRIDES, by=own.logits, nucleus_entropy=inside)
    return their_outcome(code, by_logits(batch)), ours


CORE = core_algorithms(REPOSITORY, COMMIT, "compute_grpo_outcome_advantage", "compute_policy_loss", folder="verl/verl")
ACTOR = Released(
    REPOSITORY,
    COMMIT,
    "verl/verl/workers/actor/dp_actor.py",
    ("DataParallelPPOActor.update_policy", "efficient_top_p_sampling", "mask_by_quantile"),
    (CORE,),
    needs={"DataProto": type("DataProto", (), {}), "append_to_dict": dict.update},
)
COMPARISONS = [
    Comparison(
        "siren",
        ACTOR,
        siren,
        f"the whole recipe as released beside a whole update of the actor, at a coefficient of {COEFFICIENT:g}, an "
        f"anchor of {ANCHOR:g} and a dual clip of {DUAL:g}; the gradient by the logits",
        {"torch": ON_CPU},
        "the recipe's own nucleus and mean over responses; theirs takes (H − anchor)² of each micro-batch, here the "
        "batch is one; ranks the 10,000 largest logits, here all; takes quantiles in float32: entropies are rounded",
    )
]
