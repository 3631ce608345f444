"""The data types that pass between rooms, and the letters of every shape.

P prompts, G responses a prompt, B = P·G responses (row p·G + g is response g of prompt p), T response
tokens, V vocabulary. Masks are bool, True on a response token, in every file of this package.
Log-probabilities and entropies are in nats, at the sampling temperature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Problem:
    """The data type of a question with a verifiable answer."""

    id: str  # unique inside its data set, stable between runs: seeds depend on it
    question: str  # as the data set states it, without template
    answer: str  # the gold, as the data set states it
    source: str  # the data set's name; baselines are never shared between sources
    level: str = ""
    subject: str = ""
    scorer: str = ""  # how the answer is judged: "" = the run's own, "integer", "digits", "reasoning_gym:TASK"
    metadata: Mapping[str, object] = field(default_factory=dict)
    turns: tuple[tuple[str, str], ...] = ()  # (role, text) of the conversation before the question
    suffix: str = ""  # what follows the question where model.prompt.suffix is null: a mixture's sources bring their own

    def __getitem__(self, column: str) -> object:
        """A field by its name, else a column of the data row by its own, numbers as numbers: problem["difficulty"]."""
        if column in self.__dataclass_fields__:
            return getattr(self, column)
        if column not in self.metadata:
            known = ", ".join([*self.__dataclass_fields__, *self.metadata])
            raise KeyError(f"the problem {self.id} has no column {column}; it has {known}")
        return self.metadata[column]

    @property
    def asked(self) -> str:
        """All texts that the data set shows the model: problems with equal ones are the same problem."""
        return "\n\n".join((*(text for _, text in self.turns), self.question))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The data type of the grader's verdict on one response."""

    correct: bool
    extracted: str | None  # the answer that was judged; None when there was none
    reason: str  # "equal", "different", "no answer", "several answers", "timeout", "crash", "too long", …
    failed: bool = False  # the grader itself broke: `correct` is then not a judgement
    second: bool | None = None  # the second grader's verdict (reward.audit); None: not asked, or it broke


@dataclass(frozen=True, slots=True)
class Rollout:
    """The data type of P·G sampled responses, right-padded; prompts left-padded. Row p·G + g belongs to prompt p."""

    prompt_ids: Tensor  # int64 [B, L], left-padded
    prompt_mask: Tensor  # bool [B, L]
    response_ids: Tensor  # int64 [B, T], right-padded, the end token included when it was produced
    mask: Tensor  # bool [B, T]
    logp: Tensor  # float32 [B, T], the sampler's log π(y_t | x, y_<t); 0 on padding
    finished: Tensor  # bool [B]: ended by itself (end token or stop string), not by the length limit
    group: Tensor  # int64 [B], the prompt's index p
    texts: tuple[str, ...]  # the decoded responses, special tokens removed
    prefix: Tensor | None = None  # int64 [B], first tokens taken over from another response; None: none anywhere

    @property
    def sampled(self) -> Tensor:
        """Tokens that were sampled for their own response, bool [B, T]: those behind its prefix."""
        return self.mask if self.prefix is None else self.mask & (self.mask.cumsum(1) > self.prefix[:, None])


@dataclass(frozen=True, slots=True)
class Experience:
    """The data type that advantage estimators take: one graded rollout batch. No gradients anywhere."""

    rewards: Tensor  # float32 [B]
    mask: Tensor  # bool [B, T]
    group: Tensor  # int64 [B]
    source: Tensor  # int64 [B], index of the data source
    old_logp: Tensor  # float32 [B, T]
    ref_logp: Tensor | None = None  # float32 [B, T]
    values: Tensor | None = None  # float32 [B, T], the critic's V(s_t) before y_t; None without a critic
    old_entropy: Tensor | None = None  # float32 [B, T], H of the policy that sampled; only where it is read
    old_covariance: Tensor | None = None  # float32 [B, T], Cov(π, log π) of the same policy; only where it is read
    correct: Tensor | None = None  # bool [B], the grader's verdict, whatever the reward makes of it
    response_ids: Tensor | None = None  # int64 [B, T]
    extra: Tensor | None = None  # bool [B], beside the batch or behind another's tokens (`Rollout.prefix`); None: none
    opinions: Mapping[str, Tensor] = field(default_factory=dict)  # of the user's reward functions, [B], nan for none
    phase: Tensor | None = None  # int64 [B, T]: 0 thinking, 1 the marker that ends it, 2 answer; only where it is read
    prompt_logp: Tensor | None = None  # float32 [P, L − 1], log π_old of the prompts' tokens but the first, if read
    prompt_mask: Tensor | None = None  # bool [P, L − 1]
    group_divergence: Tensor | None = None  # float32 [P, T], how far a group's distributions are apart, if read
    answer: Tensor | None = None  # int64 [B], equal ones of a group have one number, −1 is none; only where it is read
    step: int = 0  # rollout batches before this one: what a schedule follows
    sources: tuple[str, ...] = ()  # names of the data sources, by their index in `source`
    whole_ref_logp: Tensor | None = (
        None  # float32 [B, T], where `internal`: the whole network's reference, for readings
    )
    losses: Mapping[str, float] = field(default_factory=dict)  # of objectives beside the responses, by name
    internal: bool = False  # log π_old, and what learns, is the policy of an inner block (objective/internal_policy.py)


@dataclass(frozen=True, slots=True)
class Advantage:
    """The data type that advantage estimators return: Â, and its scale in units of reward."""

    values: Tensor  # [B, T], 0 on padding
    scale: float  # κ: Â is κ times a quantity in units of reward
    returns: Tensor | None = None  # [B, T], the critic's targets
    counted: Tensor | None = None  # bool [B, T], tokens that the loss counts; None: every response token


@dataclass(frozen=True, slots=True)
class Tokens:
    """The data type that objectives take: response tokens of one minibatch (or a slice), every tensor [B, T]."""

    logp: Tensor  # log π_θ(y_t | x, y_<t), differentiable
    old_logp: Tensor  # the same under the policy that sampled, no gradient
    entropy: Tensor  # H[π_θ(· | x, y_<t)], differentiable
    collision: Tensor  # Σ_v π_θ(v | x, y_<t)², differentiable
    advantage: Tensor  # Â, no gradient
    mask: Tensor  # bool; False on padding
    share: Tensor  # the reduction's weight of each token: a reduced quantity is Σ share · x
    scale: float = 1.0  # κ of the advantage
    ref_logp: Tensor | None = None  # under the frozen reference, no gradient
    old_entropy: Tensor | None = None  # H under the policy that sampled, no gradient; only where it is read
    covariance: Tensor | None = None  # Cov_{v~π_θ}(π_θ(v), log π_θ(v)), no gradient; only where it is read
    whole: Tokens | None = None  # the minibatch that these are a slice of, no gradient; only where it is read
    start: int = 0  # the row of `whole` that these begin at
    seed: int = 0  # new for every minibatch: of the random numbers that a piece draws
    nucleus_entropy: Tensor | None = None  # H inside the objective's nucleus, differentiable; only where there is one
    importance: Tensor | None = None  # truncated π_trainer/π_sampler, weighs the policy term alone; None: they agree

    @property
    def minibatch(self) -> Tokens:
        """The whole minibatch, for statistics: these themselves where they are no slice of one."""
        return self if self.whole is None else self.whole

    def own(self, column: Tensor) -> Tensor:
        """The rows of a column of `minibatch` that are these tokens'."""
        return column if self.whole is None else column[self.start : self.start + len(self.mask)]


@dataclass(frozen=True, slots=True)
class Loss:
    """The data type that objectives return: a scalar to descend and the named scalars it is the sum of."""

    total: Tensor
    parts: Mapping[str, Tensor]
