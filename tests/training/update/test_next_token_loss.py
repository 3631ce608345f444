"""Demonstrations learnt beside responses: their gradient by hand, their rows, what is carried, and their own data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.training.conftest import Checksum, MetricRows, Runs, composed, trained_policy
from tvo_cli.cli.main import main
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_next_token import build_next_token_loss
from tvo_cli.model import Policy
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.training.batch import Demonstrated
from tvo_cli.training.update import minibatch_gradient
from tvo_cli.training.update.minibatches import Minibatch
from tvo_cli.training.update.next_token_loss import add_next_token_gradient

RECAP = ("algorithm=recap_next_token", "algorithm.advantage_shaping.recap.window=1", "algorithm.next_token.rows=8")
LOUD = "algorithm.advantage_shaping.recap.temperature=0.3"


def tiny_policy() -> Policy:
    tokenizer = tiny_tokenizer()
    network = tiny_network(tokenizer, seed=3).eval()
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)


def learner_of(policy: Policy) -> Any:
    parameters = list(policy.parameters())
    return SimpleNamespace(
        policy=policy,
        parameters=parameters,
        optimizer=torch.optim.SGD(parameters),
        runtime=SimpleNamespace(ranks=Ranks()),
        autocast=nullcontext,
    )


def test_each_minibatch_adds_the_gradient_of_its_own_demonstrations() -> None:
    """Rows 1 and 3 of four, of 3 and 1 learned tokens: 0.5 · (Σ of four cross entropies) / 4, beside what was there."""
    policy, generator = tiny_policy(), torch.Generator().manual_seed(1)
    ids = torch.randint(3, 40, (4, 6), generator=generator)
    lengths, learned = torch.tensor([6, 5, 6, 4]), torch.zeros(4, 6, dtype=torch.bool)
    learned[0, 2:], learned[1, 2:5], learned[2, 1:], learned[3, 3] = True, True, True, True
    learner = learner_of(policy)
    before = [torch.randn(p.shape, generator=generator) for p in learner.parameters]
    for parameter, held in zip(learner.parameters, before):
        parameter.grad = held.clone()
    parts = (torch.tensor([0]), torch.tensor([1]))
    minibatch = Minibatch(0, 1, torch.tensor([0, 1]), parts, 0)
    loss = add_next_token_gradient(learner, Demonstrated(ids, lengths, learned, 0.5), minibatch, 2)
    logits = policy.network(input_ids=ids[[1, 3]]).logits
    wanted = [(0, 1), (0, 2), (0, 3), (1, 2)]  # the state before each learned token
    tokens = torch.stack([ids[[1, 3]][row, at + 1] for row, at in wanted])
    expected = cross_entropy(torch.stack([logits[row, at] for row, at in wanted]), tokens)
    assert loss == pytest.approx(float(expected.detach()), rel=1e-5)
    gradients = torch.autograd.grad(0.5 * expected, learner.parameters)
    for parameter, held, own in zip(learner.parameters, before, gradients):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad - held, own, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_memory_that_ends_in_the_demonstrations_leaves_nothing_in_the_report(
    run: Runs, steps: MetricRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The minibatch is computed again: its tokens are observed once, its losses counted once."""
    words = (*RECAP, "trainer.steps=1", "rollout.epochs=1")
    [whole] = steps(run("whole", *words))
    failed: list[bool] = []

    def failing(*given: Any) -> float:
        if not failed:
            failed.append(True)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return add_next_token_gradient(*given)

    monkeypatch.setattr(minibatch_gradient, "add_next_token_gradient", failing)
    [halved] = steps(run("halved", *words))
    assert failed and halved["loss/policy"] == pytest.approx(whole["loss/policy"], rel=1e-4, abs=1e-7)
    assert halved["policy/entropy"] == pytest.approx(whole["policy/entropy"], rel=1e-4)


def test_demonstrations_of_another_data_set_are_asked_as_that_one_asks(tmp_path: Path) -> None:
    """And which ones a batch has follows from its step alone."""
    rows = [{"question": f"{n} + {n}", "solution": f"{2 * n}", "answer": f"{2 * n}"} for n in range(1, 7)]
    (tmp_path / "general.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = composed(
        (
            "algorithm=recap_next_token",
            "+dataset@algorithm.next_token.data=jsonl",
            f"algorithm.next_token.data.path={tmp_path}/general.jsonl",
            'algorithm.next_token.data.suffix=" well ="',
            "algorithm.next_token.rows=5",
        )
    )
    policy = tiny_policy()
    loss = build_next_token_loss(config, policy)
    assert loss is not None
    first, second, again = (loss.of_batch(step, 2.0, policy.pad_id, torch.device("cpu")) for step in (0, 1, 0))
    assert torch.equal(first.ids, again.ids) and first.weight == 2.0
    shown = [
        [policy.tokenizer.decode(ids[:length]) for ids, length in zip(one.ids, one.lengths)] for one in (first, second)
    ]
    assert len(set(shown[0])) == 5 and set(shown[0]) == set(shown[1]) and shown[0] != shown[1], "a batch is an epoch"
    assert all(" well = " in text for text in shown[0])
    assert [int(learned.sum()) for learned in first.learned] == [2] * 5, "the reply and the end token"


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("algorithm.next_token.rows=1", "rollout.minibatches=2"), r"algorithm\.next_token\.rows=1: leave a minibatch"),
        (
            ("+algorithm.internal_policy={_target_: tvo_cli.objective.InternalPolicy, depth: 0.5, steps: 3}",),
            "learnt by the whole network",
        ),
    ],
)
def test_what_would_not_be_learnt_is_refused(words: tuple[str, ...], refusal: str) -> None:
    with pytest.raises(UserError, match=refusal):
        check_across_keys(composed(("algorithm=recap_next_token", *words)))


def test_data_without_solutions_are_refused_by_the_key_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "bare.jsonl").write_text('{"question": "1+1", "answer": "2"}\n')
    words = ("+dataset@algorithm.next_token.data=jsonl", f"algorithm.next_token.data.path={tmp_path}/bare.jsonl")
    with pytest.raises(UserError, match=r"^algorithm\.next_token\.data=.*nothing to learn"):
        build_next_token_loss(composed(("algorithm=recap_next_token", *words)), tiny_policy())


@pytest.mark.slow
def test_the_loss_is_an_objective_beside_the_source_and_a_stop_changes_nothing(
    run: Runs, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows
) -> None:
    words = (*RECAP, LOUD, "rollout.minibatches=2", "rollout.epochs=1", "trainer.steps=4")
    whole, (cut, stops) = run("whole", *words), in_pieces("cut", *words, most=15)
    rows = steps(whole)
    told = [(row["objective/weight/arithmetic"], row["objective/weight/next_token"]) for row in rows[1:]]
    assert told[0] == (1.0, 1.0) and all(sum(pair) == pytest.approx(2.0) for pair in told)
    assert all(pair != (1.0, 1.0) for pair in told[1:])
    assert all(math.isfinite(row["loss/next_token"]) for row in rows)
    assert stops >= 6 and steps(cut) == rows and weights(cut, 4) == weights(whole, 4)


@pytest.mark.slow
def test_a_coefficient_of_zero_is_recap_bit_for_bit(run: Runs) -> None:
    off = run("off", *RECAP, "algorithm.next_token.coefficient=0", "trainer.steps=2")
    plain, acting = run("plain", "algorithm=recap", "trainer.steps=2"), run("acting", *RECAP, "trainer.steps=2")
    mine, its, others = (trained_policy(folder, 2) for folder in (off, plain, acting))
    assert all(torch.equal(mine[name], its[name]) for name in its)
    assert any(not torch.equal(others[name], its[name]) for name in its)


@pytest.mark.slow
def test_the_noise_of_the_gradient_is_that_of_the_responses_alone(run: Runs, steps: MetricRows) -> None:
    """Before the first update both policies are one: the same responses, the same parts, the same reading."""
    (with_it,), (without,) = (
        steps(run(name, *words, "trainer.steps=1"))
        for name, words in (("with", RECAP), ("without", ("algorithm=recap",)))
    )
    assert with_it["gradient/variance"] == pytest.approx(without["gradient/variance"], rel=1e-9)
    assert with_it["gradient/norm"] != without["gradient/norm"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "key"),
    [
        (
            ("+dataset@algorithm.next_token.data=jsonl", "algorithm.next_token.data.path={}"),
            "algorithm.next_token.data",
        ),
        (("dataset=jsonl", "dataset.path={}", "dataset.suffix=''", "dataset.max_tokens=8"), "dataset"),
    ],
)
def test_a_run_goes_on_with_the_demonstrations_it_had_only(
    run: Runs, tmp_path: Path, words: tuple[str, ...], key: str
) -> None:
    """Only a solution differs: question and answer, of which a data set's fingerprint is made, are the same."""
    path = tmp_path / "general.jsonl"

    def learn(solution: str, *more: str) -> Path:
        rows = [{"question": f"{n} + {n}", "answer": f"{2 * n}", "solution": solution} for n in range(1, 13)]
        path.write_text("\n".join(map(json.dumps, rows)))
        return run("a", *RECAP, *(word.format(path) for word in words), "trainer.checkpoint_every=1", *more)

    folder = learn("so 5 so 5", "trainer.steps=1")
    with pytest.raises(UserError, match=rf"^{key}=1\d:\w+: holds other .*resume\.allow=\[{key}\.content\]"):
        learn("so 6 so 6", "trainer.steps=2")
    learn("so 5 so 5", "trainer.steps=2")
    learn("so 6 so 6", "trainer.steps=3", f"resume.allow=[{key}.content]")
    assert f"resume.allow: {key}.content: the demonstrations differ" in (folder / "run.log").read_text()


@pytest.mark.slow
def test_a_replay_says_of_which_gradient_its_shares_are(run: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """The update's norm holds the demonstrations' part, the shares of tokens do not."""
    words = ("trainer.steps=1", "recorder.steps=[1]", "rollout.epochs=1", "rollout.minibatches=1")
    for name, recipe, whose in (("with", RECAP, " of the responses alone"), ("without", ("algorithm=recap",), "")):
        assert main(["replay", str(run(name, *recipe, *words)), "--step", "1"]) == 0
        assert re.search(rf"update 1, gradient norm{whose} [\d.]+: shares of it", capsys.readouterr().out)
