"""The probe on hidden states: whose state it reads, what it learns, and that it is what was saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.difficulty_probe import NAME, DifficultyProbe, prompt_states, train_probe

PROMPTS = ["3 + 4 =", "2 * 5 - 1 + 7 =", "9 - 8 ="]


def test_the_state_is_that_of_the_last_prompt_token_whatever_stands_beside_it(policy: Policy) -> None:
    states, lengths = prompt_states(policy, PROMPTS, rows=2)
    for prompt, state, length in zip(PROMPTS, states, lengths, strict=True):
        ids, _ = policy.encode([prompt])
        assert length == ids.shape[1]
        with torch.no_grad():
            alone = policy.network.base_model(input_ids=ids).last_hidden_state[0, -1]
        torch.testing.assert_close(state, alone, rtol=1e-4, atol=1e-5)


def separable(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Three clouds around corners."""
    labels = torch.arange(count) % 3
    noise = torch.randn(count, 8, generator=torch.Generator().manual_seed(count))
    return 3.0 * torch.eye(3, 8)[labels] + 0.3 * noise, labels


def test_it_learns_what_a_state_shows() -> None:
    states, labels = separable(60)
    probe = train_probe(states, labels, classes=3, width=16, epochs=40, lr=3e-3, seed=1)
    unseen, theirs = separable(30)
    assert (probe(unseen).argmax(1) == theirs).float().mean() > 0.9
    untrained = train_probe(states, labels, classes=3, width=16, epochs=0, lr=1e-3, seed=1)
    assert (untrained(unseen).argmax(1) == theirs).float().mean() < 0.7


def test_its_seed_decides_it_and_no_other_draw_moves() -> None:
    states, labels = separable(30)
    chosen = {"classes": 3, "width": 4, "epochs": 2}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other = (train_probe(states, labels, lr=1e-2, seed=7, **chosen) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_is_read_is_what_was_saved_and_another_size_is_refused(tmp_path: Path) -> None:
    probe = DifficultyProbe(8, 4, 3)
    probe.save(tmp_path)
    again = DifficultyProbe.load(tmp_path, size=8, classes=3)
    assert all(torch.equal(a, b) for a, b in zip(probe.parameters(), again.parameters(), strict=True))
    with pytest.raises(UserError, match=r"^protocol\.adapt\.probe=.*states of 8 numbers, and the model's have 16"):
        DifficultyProbe.load(tmp_path, size=16, classes=3)
    (tmp_path / NAME).unlink()
    with pytest.raises(UserError, match=r"^protocol\.adapt\.probe=.*holds no readable"):
        DifficultyProbe.load(tmp_path, size=8, classes=3)
