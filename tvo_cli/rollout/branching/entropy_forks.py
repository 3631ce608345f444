"""Entropy forks: responses are cut before their most uncertain tokens, and continued anew from there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import ClassVar

from tvo_cli.errors import UserError
from tvo_cli.rollout.branching.branching_rule import Cut, GrownResponses


@dataclass(frozen=True, slots=True)
class EntropyForks:
    """A prompt's G responses: ⌊G/(1 + N·B)⌋ from the prompt (at least one), the others behind N cuts of each of those.

    A response is cut before N tokens, drawn at random among its K of the highest entropy: K = N takes the highest
    themselves. The token itself is sampled anew. Its first token is never one (nothing would be shared), nor, where
    `shortest` says so, a special token or one of fewer characters than that, blanks aside. B responses follow each
    cut; where G leaves a rest, some cuts of the first responses get one more. A response without such a token is
    sampled anew from its prompt. What a branch took over belongs to its prompt: it is not learnt from.

    CURE, arXiv:2508.11016: N = 1, B = 3, K = 20, shortest = 2. ETTRL's tree, arXiv:2508.11356: N = K = 2, B = 2,
    shortest = 0. The tokens that are sampled, relative to G responses from the prompt, of equal lengths and with cuts
    uniform in them: (1 + B·N/2)/(1 + B·N). N = 0 or B = 0 recovers G responses from the prompt.

    Fidelity: official code (CURE's; entropies are scored by the policy; padding is never chosen, there as a special
    token, and the length limit is the whole response's where there each branch has one of its own. ETTRL's is notes:
    two restatements agree on the tree).
    """

    learns_prefix: ClassVar[bool] = False

    forks: int  # N, cuts of a response
    children: int  # B, responses behind a cut
    candidates: int  # K
    shortest: int  # characters of a token that may be cut before; 0: any token

    def __post_init__(self) -> None:
        """All are counts, and N of K can be chosen."""
        for name in ("forks", "children", "shortest"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"algorithm.branching.{name}", getattr(self, name), "must be a whole number, at least 0."
                )
        if self.candidates < max(1, self.forks):
            problem = f"are fewer than the {self.forks} cuts of a response that are chosen among them."
            raise UserError("algorithm.branching.candidates", self.candidates, problem)

    @property
    def _tree(self) -> int:
        return 1 + self.forks * self.children

    def first(self, samples: int) -> int:
        """⌊G/(1 + N·B)⌋, at least 1; all where nothing branches."""
        return samples if self._tree == 1 else max(1, samples // self._tree)

    def cuts(self, grown: GrownResponses, turn: int) -> list[Cut]:
        """All branches at once, those behind one cut beside each other."""
        found: list[Cut] = []
        for p, rows in enumerate(grown.rows):
            places = [Cut(row, at) for number, row in enumerate(rows) for at in self._places(grown, p, number, row)]
            found += sorted(islice(cycle(places), grown.samples - len(rows)))
        return found

    def _places(self, grown: GrownResponses, prompt: int, number: int, row: int) -> list[int]:
        """Where a response is cut, [N]."""
        entropy, words = grown.entropy[row].tolist(), grown.words[row].tolist()
        legal = [t for t in range(1, grown.lengths[row]) if words[t]]
        highest = sorted(legal, key=lambda t: -entropy[t])[: self.candidates] or [0]
        numbers = grown.random_numbers(prompt, "fork", number, len(highest))
        drawn = [t for _, t in sorted(zip(numbers, highest))]
        return list(islice(cycle(drawn), self.forks))
