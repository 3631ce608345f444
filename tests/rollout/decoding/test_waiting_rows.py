"""The waiting queue: its order, what is taken together, and the numbers of a row."""

from __future__ import annotations

import torch

from tvo_cli.rollout.decoding.token_sampling import uniform_numbers
from tvo_cli.rollout.decoding.waiting_rows import WaitingRow, WaitingRows


def queue(samples: int) -> WaitingRows:
    """Prompts of 3, 1, 2 and 1 tokens."""
    mask = torch.arange(3) >= 3 - torch.tensor([[3], [1], [2], [1]])
    return WaitingRows.of(torch.arange(12).view(4, 3) * mask, mask, ["a", "b", "c", "d"], samples)


def test_short_prompts_come_first_and_each_row_once() -> None:
    waiting, taken = queue(2), list[WaitingRow]()
    assert waiting.first(1) == waiting.first(1)
    while len(waiting):
        taken += waiting.take(3)
    assert [row.prompt for row in taken] == [1, 1, 3, 3, 2, 2, 0, 0]
    assert sorted(waiting.places(taken)) == list(range(8)) and waiting.take(5) == []


def test_samples_of_a_prompt_stay_together_where_no_row_can_join() -> None:
    def batches(samples: int, slots: int) -> list[int]:
        waiting, sizes = queue(samples), list[int]()
        while len(waiting):
            sizes.append(len(waiting.take(waiting.whole_prompts(slots))))
        return sizes

    assert batches(2, 5) == [4, 4]
    assert batches(2, 100) == [8]
    assert batches(5, 3) == [3, 2] * 4
    assert batches(3, 3) == [3] * 4


def test_prompts_are_padded_to_the_longest_of_them_and_numbers_belong_to_key_and_sample() -> None:
    waiting = queue(2)
    ids, mask = waiting.prompts([1, 2])
    assert ids.tolist() == [[0, 5], [7, 8]] and mask.tolist() == [[False, True], [True, True]]
    rows = [WaitingRow(2, 1), WaitingRow(0, 0)]
    assert torch.equal(waiting.uniforms(rows, 7, 4), uniform_numbers(7, [("c", 1), ("a", 0)], 4))


def test_prompts_of_one_key_draw_the_numbers_that_its_samples_draw() -> None:
    """Two samples of each prompt: those of the second `a` are its third and fourth."""
    ids = torch.ones(3, 1, dtype=torch.int64)
    waiting = WaitingRows.of(ids, ids > 0, ["a", "b", "a"], 2)
    rows = [WaitingRow(0, 1), WaitingRow(1, 0), WaitingRow(2, 0), WaitingRow(2, 1)]
    expected = uniform_numbers(7, [("a", 1), ("b", 0), ("a", 2), ("a", 3)], 4)
    assert torch.equal(waiting.uniforms(rows, 7, 4), expected)
