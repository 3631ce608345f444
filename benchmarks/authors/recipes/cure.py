"""CURE's cuts beside its authors' trainer; what is learnt then is DAPO's loss."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import PROMPTS, RESPONSES, Outcome, RandomBatch, algorithm_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import silent, torch_with
from tvo_cli import config
from tvo_cli.rollout import EntropyForks
from tvo_cli.rollout.branching.branching_rule import GrownResponses
from tvo_cli.rollout.branching.word_tokens import word_tokens
from tvo_cli.types import Rollout

REPOSITORY, COMMIT = "bytedance/CURE", "c904b38914faf6354f8ae1033850d7b9ca8183b4"
CODE = Released(
    REPOSITORY, COMMIT, "recipe/CURE_First_Stage/dapo_ray_trainer.py", ("RayDAPOTrainer.get_critic_key_token_mask",)
)
CANDIDATES = 3  # of at most 9 tokens; 20 in the recipe
CHILDREN = 3
TEXTS = ("<end>", " the", "of", " a", "x", " ", "and", "  b", "so", "<mark>", "12")
SPECIAL = (0, 9)


class Tokenizer:
    """Eleven words: some special, some of one character."""

    all_special_ids = SPECIAL

    def get_vocab(self) -> dict[str, int]:
        """The words by their texts."""
        return {text: number for number, text in enumerate(TEXTS)}

    def decode(self, word: Any) -> str:
        """The text of a word."""
        return TEXTS[int(word)]

    def batch_decode(self, rows: list[list[int]]) -> list[str]:
        """The texts of one word each."""
        return [TEXTS[word] for (word,) in rows]


@dataclass
class Lot:
    """Which of several candidates is drawn: the same for both."""

    number: int = 0

    def randint(self, low: int, high: int, size: tuple[int]) -> Tensor:
        """In place of PyTorch's."""
        return torch.tensor([low + self.number % (high - low)])


@dataclass(frozen=True)
class Drawn(GrownResponses):
    """Responses of which the lot draws the candidate."""

    def random_numbers(self, prompt: int, about: str, number: int, count: int) -> list[float]:
        """The least number where the lot is."""
        return [float(place != LOT.number % count) for place in range(count)]


LOT, TOKENIZER = Lot(), Tokenizer()


def rule_of_recipe() -> EntropyForks:
    """The recipe's rule with fewer candidates."""
    rule: EntropyForks = config.build(algorithm_of("cure", f"algorithm.branching.candidates={CANDIDATES}").branching)
    return rule


def grown_of(batch: RandomBatch, entropy: Tensor) -> Drawn:
    """Responses of random words, which end with the first special one behind them."""
    words = batch.logits.argmax(-1) * batch.mask
    rollout = Rollout(
        prompt_ids=words[:, :1],
        prompt_mask=batch.mask[:, :1],
        response_ids=words,
        mask=batch.mask,
        logp=batch.experience.old_logp,
        finished=batch.mask[:, 0],
        group=batch.experience.group,
        texts=("",) * len(words),
    )
    return Drawn(
        rollout=rollout,
        entropy=entropy,
        words=word_tokens(rollout, TOKENIZER, rule_of_recipe().shortest),
        keys=tuple(map(str, range(PROMPTS))),
        samples=RESPONSES * (1 + CHILDREN),
        seed=0,
        vocabulary=len(TEXTS),
    )


def cuts(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Where each response is cut, whichever candidate is drawn."""
    entropy = batch.entropy.detach()
    grown, found = grown_of(batch, entropy), []
    scored = SimpleNamespace(batch={"entropys": entropy})
    trainer = SimpleNamespace(
        tokenizer=TOKENIZER, actor_rollout_wg=SimpleNamespace(compute_log_prob=lambda sampled: scored)
    )
    sampled = SimpleNamespace(batch={"responses": grown.rollout.response_ids})
    for number in range(CANDIDATES + 1):
        LOT.number = number
        _, theirs = code.get_critic_key_token_mask(trainer, sampled, top_k=CANDIDATES)
        ours = torch.tensor([cut.at for cut in rule_of_recipe().cuts(grown, 0)[::CHILDREN]])
        found.append((theirs.double(), ours.double()))
    theirs, ours = (torch.stack(each) for each in zip(*found, strict=True))
    return Outcome(theirs.mean(), theirs), Outcome(ours.mean(), ours)


COMPARISONS = [
    Comparison(
        "cure",
        CODE,
        cuts,
        f"places of the cuts with {CANDIDATES} candidates in place of a gradient, their mean in place of a loss",
        {"torch": torch_with(randint=LOT.randint), "print": silent},
        "a branch has a length limit of its own there",
    )
]
