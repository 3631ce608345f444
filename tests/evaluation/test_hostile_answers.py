"""No text of a model raises in the parent: generated and mutated answers through grade, equal and the summary."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.conftest import Parrot, response, run
from tests.reward.conftest import SETTINGS, problem
from tests.reward.test_near_misses import OWN, PIECES
from tvo_cli.evaluation.answer_equality import Equal
from tvo_cli.evaluation.pipeline import regrade_folder
from tvo_cli.evaluation.suite_summary import summarise_suite
from tvo_cli.reward import Grader
from tvo_cli.rollout.engines.engine import Completion

if TYPE_CHECKING:
    from omegaconf import DictConfig

SEED, FAST, MANY = 130, 600, 20_000
GROUP = 3
FORMS = ("\\boxed{%s}", "%s", "The final answer is \\boxed{%s}, and $1$ is wrong.")
SIGNS = [*PIECES, "(", "{", "\\", "\x00", "\u202e", "\ud83d", "٣", "İ", "\n", "9" * 500, "^" * 40, "\\boxed{"]
OPEN = ["(", "[", "{", "\\{", "\\left(", "\\frac{", "\\sqrt{", "\\text{", "|", "-", "x=", "1,"]
CLOSED = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "\\left(": "\\right)", "\\frac{": "}", "\\sqrt{": "}"}


def hostile(seed: int) -> Iterator[str]:
    """Answers of every table with pieces put in, taken out and repeated; noise; nests."""
    rng = random.Random(seed)
    while True:
        yield rng.choice((_mutated, _mutated, _mutated, _noise, _nest))(rng)


def _mutated(rng: random.Random) -> str:
    text = rng.choice(OWN)
    for _ in range(rng.randint(0, 6)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(SIGNS) + text[at + rng.choice((0, 0, 1, 3)) :]
    return text * rng.choice((1, 1, 1, 2))


def _noise(rng: random.Random) -> str:
    return "".join(rng.choice(SIGNS) for _ in range(rng.randint(0, 12)))


def _nest(rng: random.Random) -> str:
    opening, depth = rng.choice(OPEN), rng.choice((3, 60, 330, 330, 2000))
    return opening * depth + rng.choice(("1", "x", "")) + CLOSED.get(opening, "}") * rng.choice((0, depth, depth - 1))


def without_algebra(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the children would say, in no time: whether the two are as long."""
    return [
        {"correct": len(r["answers"][-1]) == len(r["gold"]), "reason": "different", "failed": False} for r in requests
    ]


def check(grader: Grader, texts: list[str], apart: int = GROUP) -> None:
    """Every text as an answer and as a gold; one group of `apart` texts as samples of a problem, in several orders."""
    golds = texts[1:] + texts[:1]
    said = [FORMS[i % 3] % text for i, text in enumerate(texts)]
    assert len(grader.grade(said, [problem(gold or "1") for gold in golds], [True] * len(said))) == len(said)
    equal = cache(grader.equal)
    for left, right in zip(texts, golds, strict=True):
        assert equal(left, right) == equal(right, left)
    rng = random.Random(SEED)
    for at in range(0, len(texts), apart):
        answers = [*texts[at : at + GROUP], "1", texts[at]]
        figures = [_majority(equal, [answers[i] for i in order]) for order in _orders(len(answers), rng)]
        assert figures[1:] == figures[:-1]


def _orders(count: int, rng: random.Random) -> list[list[int]]:
    return [list(range(count)), list(range(count))[::-1], rng.sample(range(count), count)]


def _majority(equal: Equal, answers: list[str]) -> tuple[float, int, Any]:
    rows = [response(i, extracted=answer, correct=answer < "m") for i, answer in enumerate(answers)]
    figures = summarise_suite(rows, (1,), equal, 0.95)
    return figures["maj"]["mean"], figures["maj"]["ties"], pytest.approx(figures["answer_entropy"])


@pytest.mark.slow
def test_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    with Grader(SETTINGS) as grader:
        monkeypatch.setattr(grader.pool, "judge", without_algebra)
        check(grader, list(islice(hostile(SEED), FAST)), apart=20 * GROUP)


@pytest.mark.slow
def test_twenty_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    with Grader(SETTINGS) as grader:
        monkeypatch.setattr(grader.pool, "judge", without_algebra)
        check(grader, list(islice(hostile(SEED + 1), MANY)))


@pytest.mark.slow
def test_two_thousand_with_algebra() -> None:
    with Grader({**SETTINGS, "deadline": 1.0}) as grader:
        texts = list(islice(hostile(SEED + 2), 2_000))
        verdicts = grader.grade([rf"\boxed{{{t}}}" for t in texts], [problem(g or "1") for g in texts], [True] * 2_000)
        assert not {"crash"} & {verdict.reason for verdict in verdicts}


@pytest.mark.parametrize("depth", [330, 5_000])
def test_nested_brackets_among_the_samples(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nests = ["(" * depth, "(" * (depth + 1), "(" * depth + "1" + ")" * depth, "[" * depth]
    with Grader(SETTINGS) as grader:
        monkeypatch.setattr(grader.pool, "judge", without_algebra)
        maj, _, _ = _majority(grader.equal, [*nests, "1", "1"])
    assert maj == 1.0


class Nesting(Parrot):
    """Even samples answer, odd ones open brackets."""

    def _say(self, key: str, sample: int) -> Completion:
        said = super()._say(key, sample)
        return said._replace(text="so \\boxed{" + "(" * (330, 5_000)[sample // 2] + "}") if sample % 2 else said


def test_an_evaluation_with_nested_answers_is_summarised_and_judged_again(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    first = run(asked(), Nesting(golds))["suites"]["jsonl"]
    again = regrade_folder(tmp_path / "run", asked().reward, 0.95)
    assert first["maj"]["mean"] == again["suites"]["jsonl"]["maj"]["mean"] == 1.0
    assert again["changed"] == 0 and again["suites"]["jsonl"]["grader_failed"] == 0


def test_the_generator_makes_what_it_says() -> None:
    texts = list(islice(hostile(SEED), FAST))
    assert len({*texts}) > FAST / 2 and max(map(len, texts)) > 3_000 and "" in texts
    assert any("\x00" in text for text in texts) and json.dumps(texts)
