"""Reward functions of a user's own on two ranks: called once on the whole batch, as one process calls them."""

from __future__ import annotations

import pytest

from tests.parallel.conftest import EXACT, Pair, assert_bit_equal, far_metrics, rows_of, tensors_of

pytestmark = pytest.mark.slow

CODE = '''
import random


def rank_in_batch(responses, prompts, step):
    """Depends on every row of the batch, and draws lots."""
    longest = sorted(responses, key=lambda text: (len(text), text))
    return [longest.index(text) / len(longest) + 0.01 * random.random() for text in responses]


def third_row(responses):
    return [None if row != 2 else "bad" for row in range(len(responses))]
'''


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(CODE)
    return f"{path}:"


def entry(mine: str, name: str) -> str:
    return f"reward.functions=[{{call: {mine}{name}, weight: 0.3}}]"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("reward.weighting=hypervolume", "evaluation.problems=4", "evaluation.samples=1", "evaluation.every=1"),
    ],
)
def test_two_ranks_have_the_rewards_and_the_bits_of_one_process(pair: Pair, mine: str, words: tuple[str, ...]) -> None:
    words = (*EXACT, entry(mine, "rank_in_batch"), *words)
    alone, both = pair.alone(*words), pair.finished(f"own-{len(words)}", *words, "parallel=replicate")
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert rows_of(alone) == rows_of(both)


def test_gradients_lead_both_ranks_to_the_weights_of_one_process(pair: Pair, mine: str) -> None:
    words = (*EXACT, entry(mine, "rank_in_batch"), "reward.weighting=gradient", "algorithm=grpo")
    alone, both = pair.alone(*words), pair.finished("own-gradient", *words, "parallel=replicate")
    assert far_metrics(rows_of(alone), rows_of(both)) == set()
    assert rows_of(alone)[-1]["reward/rank_in_batch/weight"] != 0.3


@pytest.mark.parametrize("strategy", ["replicate", "shard"])
def test_windows_of_losses_lead_both_ranks_to_the_bits_of_one_process(pair: Pair, mine: str, strategy: str) -> None:
    """The losses are means over the batch of both ranks, and the weights move from the third batch on."""
    moving = ("reward.weighting=recap", "reward.recap.window=1", "reward.recap.temperature=0.2", "trainer.steps=4")
    words = (*EXACT, entry(mine, "rank_in_batch"), *moving)
    alone, both = pair.alone(*words), pair.finished(f"own-recap-{strategy}", *words, f"parallel={strategy}")
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    rows = rows_of(alone)
    assert far_metrics(rows, rows_of(both)) == set() and (strategy == "shard" or rows == rows_of(both))
    weights = [row["reward/rank_in_batch/weight"] for row in rows if "reward/rank_in_batch/weight" in row]
    assert weights[:2] == [0.3, 0.3] and 0.3 not in weights[2:]


def test_a_fault_ends_both_ranks_with_the_same_words(pair: Pair, mine: str) -> None:
    _, outcomes = pair.train("own-bad", *EXACT, entry(mine, "third_row"), "parallel=replicate")
    assert [one["outcome"] for one in outcomes] == ["UserError"] * 2
    assert all("step 1, row 2" in one["text"] and "is str 'bad'" in one["text"] for one in outcomes)
