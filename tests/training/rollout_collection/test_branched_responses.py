"""Branched responses in whole runs: what a branch took over, what it learns from, and that nothing else changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from tests.stand_in_server import NODE
from tests.training.conftest import MetricRows, Runs, before_each_update, largest_difference, train_in, trained_policy
from tvo_cli.cli.main import main
from tvo_cli.model.loading.policy_loading import load_policy
from tvo_cli.rollout import BranchingRule, EntropyForks, SamplingParams, SegmentBranches
from tvo_cli.rollout.sampler import LocalSampler
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.rollout_collection.branched_responses import sample_branched_responses
from tvo_cli.training.session import Session
from tvo_cli.types import Rollout

ONE_STEP = ("trainer.steps=1", "rollout.prompts=4", "rollout.minibatches=1", "rollout.epochs=1", "stability=off")
CURE = ("algorithm=cure", *ONE_STEP, "rollout.samples=8", "algorithm.sampling.most=1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RolloutBatch]:
    """CURE's first step: 4 prompts, 2 responses of each, 3 branches of each of those."""
    seen: list[RolloutBatch] = []
    folder = tmp_path_factory.mktemp("branched") / "run"
    with before_each_update(lambda work: seen.append(work.batch)):
        train_in(folder, CURE)
    return folder, seen[0]


@pytest.fixture
def branched(trained: tuple[Path, RolloutBatch]) -> RolloutBatch:
    return trained[1]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return load_policy({**NODE, "path": "packaged:tiny"}, device="cpu").tokenizer


@pytest.fixture(scope="module")
def sampling_session() -> Session:
    """As much of a session as samples branches."""
    policy = load_policy({**NODE, "path": "packaged:tiny"}, device="cpu")
    passes = SimpleNamespace(temperature=1.0)
    own = SimpleNamespace(learner=SimpleNamespace(policy=policy), sampler=LocalSampler(), seed=0, passes=passes)
    return cast("Session", own)


ASKED = {"1/a": "1 + 1 =", "1/b": "12 + 7 =", "1/c": "3 + 4 * 2 =", "1/d": "9 =", "1/e": "8 + 8 =", "1/f": "2"}
SOON_OVER = SamplingParams(samples=6, max_tokens=12, stop=("1", "7"))
FORKS = EntropyForks(forks=2, children=2, candidates=2, shortest=0), replace(SOON_OVER, samples=5)
SEGMENTS = (
    SegmentBranches(initial=0.5, beta=1.0, segments=4, longest=12, weight=0.2, penalty=0.2, threshold=0.9),
    SOON_OVER,
)


def trees_of(
    session: Session, keys: Sequence[str], rule: BranchingRule, sampling: SamplingParams
) -> list[tuple[str, ...]]:
    """The responses to each prompt."""
    found = sample_branched_responses(session, [ASKED[key] for key in keys], keys, rule, sampling).texts
    return [tuple(found[start : start + sampling.samples]) for start in range(0, len(found), sampling.samples)]


@pytest.mark.parametrize(("rule", "sampling"), [FORKS, SEGMENTS])
def test_a_prompt_has_the_same_tree_alone_among_others_and_on_any_rank(
    sampling_session: Session, rule: BranchingRule, sampling: SamplingParams
) -> None:
    """A response of two tokens has one cut, a longer one two: behind each of one prompt as many follow, not of all."""
    whole = trees_of(sampling_session, list(ASKED), rule, sampling)
    assert whole == [trees_of(sampling_session, [key], rule, sampling)[0] for key in ASKED]
    for shares in ((list(ASKED)[:3], list(ASKED)[3:]), (list(ASKED)[:5], list(ASKED)[5:])):
        assert whole == [tree for share in shares for tree in trees_of(sampling_session, share, rule, sampling)]
    assert all(len(set(tree)) > 1 for tree in whole)


def parent_of(rollout: Rollout, row: int) -> int:
    """The response of the same prompt that a branch begins like: found by its tokens."""
    assert rollout.prefix is not None
    count, p = int(rollout.prefix[row]), int(rollout.group[row])
    begins = [
        one
        for one in range(len(rollout.texts))
        if rollout.group[one] == p
        and rollout.prefix[one] == 0
        and torch.equal(rollout.response_ids[one, :count], rollout.response_ids[row, :count])
        and torch.equal(rollout.logp[one, :count], rollout.logp[row, :count])
    ]
    assert begins, "a branch begins with tokens, and their log-probabilities, that another of its prompt was sampled as"
    return begins[0]


def test_a_branch_begins_like_a_response_of_its_prompt_and_learns_from_the_rest(branched: RolloutBatch) -> None:
    rollout, experience = branched.rollout, branched.experience
    assert rollout.prefix is not None and rollout.group.tolist() == [p for p in range(4) for _ in range(8)]
    behind = (rollout.prefix > 0).nonzero().flatten().tolist()
    assert len(behind) > 12, "most of the 24 branches have a prefix"
    for row in behind:
        parent_of(rollout, row)
        count, length = int(rollout.prefix[row]), int(rollout.mask[row].sum())
        assert 0 < count < length and int(experience.mask[row].sum()) == length - count
        assert not experience.mask[row, :count].any(), "what it took over is its prompt's"
        assert (branched.advantage.values[row, :count] == 0).all()
    assert experience.extra is not None and experience.extra.nonzero().flatten().tolist() == behind


def test_the_answer_is_that_of_the_whole_text_and_one_group_has_all(
    branched: RolloutBatch, tokenizer: PreTrainedTokenizerFast
) -> None:
    rollout = branched.rollout
    assert rollout.prefix is not None
    for text, ids, mask in zip(rollout.texts, rollout.response_ids, rollout.mask):
        assert text == tokenizer.decode(ids[mask], skip_special_tokens=True)
    with_answer = [row for row, verdict in enumerate(branched.verdicts) if verdict.extracted]
    assert any(rollout.prefix[row] > 0 for row in with_answer)
    first = branched.experience.mask.float().argmax(1, keepdim=True)
    advantage = branched.advantage.values.gather(1, first).squeeze(1)
    for p in range(4):
        group = advantage[rollout.group == p]
        assert len(group) == 8 and abs(float(group.sum())) < 1e-4
    rewards = branched.experience.rewards.view(4, 8)
    assert (rewards.std(1) > 0).any(), "or the sums say nothing"


def test_log_probabilities_behind_a_cut_are_the_policys_for_the_whole_response(
    branched: RolloutBatch,
) -> None:
    rollout, policy = branched.rollout, load_policy({**NODE, "path": "packaged:tiny"}, device="cpu")
    with torch.no_grad():
        exact = policy.score(
            *(rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask), temperature=1.0
        )
    torch.testing.assert_close(rollout.logp, exact.logp, rtol=0, atol=2e-5)


def mean_surprise(batch: RolloutBatch, rows: torch.Tensor) -> float:
    """−log π_old a token, of what learning counts of some rows."""
    mask = batch.experience.mask & rows[:, None]
    return float(-batch.experience.old_logp[mask].mean())


@pytest.mark.slow
def test_readings_of_the_policy_leave_out_what_is_sampled_at_another_temperature(
    run: Runs, batches: list[RolloutBatch], steps: MetricRows
) -> None:
    """SCOPE's branch, hot at first: half of the prompts once more."""
    found = steps(run("a", "algorithm=scope", *ONE_STEP, "rollout.samples=8", "algorithm.sampling.share=0.5"))[0]
    extra = batches[0].experience.extra
    assert extra is not None and extra.tolist() == [False] * 32 + [True] * 16
    assert found["policy/entropy_sampled"] == pytest.approx(mean_surprise(batches[0], ~extra), rel=1e-4)
    assert found["policy/entropy_sampled"] != pytest.approx(mean_surprise(batches[0], extra | ~extra), rel=1e-3)
    assert found["policy/tv"] < 1e-6


def test_readings_of_the_policy_are_of_what_it_sampled_from_prompts(
    trained: tuple[Path, RolloutBatch], steps: MetricRows
) -> None:
    folder, batch = trained
    found = steps(folder)[0]
    assert batch.rollout.prefix is not None and batch.experience.extra is not None
    own = batch.rollout.prefix == 0
    right = torch.tensor([verdict.correct for verdict in batch.verdicts])
    assert found["accuracy/fresh"] == pytest.approx(float(right[own].float().mean()))
    assert found["accuracy/fresh"] != pytest.approx(float(right.float().mean())), "or it shows nothing"
    assert found["response/length"] == pytest.approx(float(batch.rollout.mask[own].sum(1).float().mean()))
    assert found["policy/entropy_sampled"] == pytest.approx(mean_surprise(batch, own), rel=1e-4)
    assert found["policy/entropy_sampled"] != pytest.approx(mean_surprise(batch, own | ~own), rel=1e-2)
    equal = float((batch.experience.rewards.view(4, 8).std(1) == 0).float().mean())
    assert found["group/zero_advantage"] == pytest.approx(equal), "of the groups that are learnt from, as they are"
    assert found["sampling/branched"] == pytest.approx(float((~own).float().mean()))
    assert found["sampling/taken_over"] == pytest.approx(
        int(batch.rollout.prefix.sum()) / int(batch.rollout.mask.sum())
    )
    assert batch.drawn.tokens == int(batch.rollout.mask.sum() - batch.rollout.prefix.sum())


@pytest.mark.slow
def test_agentic_aepo_learns_from_what_a_branch_took_over_too(run: Runs, batches: list[RolloutBatch]) -> None:
    run("a", "algorithm=aepo_branching", *ONE_STEP, "rollout.samples=8", "algorithm.branching.threshold=0")
    rollout, experience = batches[0].rollout, batches[0].experience
    assert rollout.prefix is not None and (rollout.prefix > 0).sum() > 8
    assert torch.equal(experience.mask, rollout.mask)
    taken = rollout.mask & ~rollout.sampled
    assert (batches[0].advantage.values[taken] != 0).any()


@pytest.mark.slow
@pytest.mark.parametrize("off", ["children", "forks"])
def test_without_branches_it_is_its_base_bit_for_bit(run: Runs, steps: MetricRows, off: str) -> None:
    words = ("trainer.steps=2", "rollout.samples=4")
    base, ours = (
        run("base", "algorithm=dapo", *words),
        run("ours", "algorithm=cure", *words, f"algorithm.branching.{off}=0"),
    )
    assert largest_difference(trained_policy(base, 2), trained_policy(ours, 2)) == 0.0 and steps(base) == steps(ours)
    acting = run("acting", "algorithm=cure", *words)
    assert largest_difference(trained_policy(base, 2), trained_policy(acting, 2)) > 0.0


@pytest.mark.slow
def test_micro_batches_change_nothing(run: Runs) -> None:
    words = (*CURE, "optimizer=sgd", "optimizer.lr=0.1", "trainer.variance_parts=1")
    one = trained_policy(run("one", *words))
    cut = trained_policy(run("cut", *words, "trainer.microbatch_rows=4"))
    assert largest_difference(one, cut) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cure", "ettrl", "aepo_branching"])
def test_a_recorded_step_is_replayed_to_the_bit_and_under_another_algorithm(
    run: Runs, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"algorithm={name}", "rollout.samples=8", "trainer.steps=2", "recorder.steps=[2]", "logger.console=off")
    folder = run("a", *words)
    assert main(["replay", str(folder), "--step", "2"]) == 0
    assert "the same bits" in capsys.readouterr().out
    assert main(["replay", str(folder), "--step", "2", "algorithm=grpo"]) == 0


@pytest.mark.slow
def test_the_vote_decides_what_is_learnt_and_labels_do_not(run: Runs) -> None:
    """Two runs whose golds differ learn the same: the reward of a run without labels reads none."""
    words = ("algorithm=ettrl", *ONE_STEP, "rollout.samples=10")
    base = run("a", *words)
    other = run("b", *words, "reward.correct=7")
    assert largest_difference(trained_policy(base), trained_policy(other)) == 0.0
    acting = run("c", *words, "~algorithm.reward_shaping.majority_vote")
    assert largest_difference(trained_policy(base), trained_policy(acting)) > 0.0


@pytest.mark.slow
@pytest.mark.usefixtures("another_precision")
@pytest.mark.parametrize("name", ["cure", "ettrl", "aepo_branching"])
def test_branches_are_sampled_in_bfloat16(name: str, run: Runs, steps: MetricRows) -> None:
    words = (*ONE_STEP, "algorithm.sampling.most=1") if name == "cure" else ONE_STEP
    rows = steps(run(name, f"algorithm={name}", *words, "rollout.samples=4", "trainer.precision=bfloat16"))
    assert rows[0]["sampling/branched"] > 0


@pytest.mark.slow
def test_a_group_teaches_nothing_where_all_its_votes_agree_whatever_the_grader_says(
    run: Runs, steps: MetricRows, batches: list[RolloutBatch]
) -> None:
    """Rewards after the shaping: wrong responses that vote alike, and a tie, in which nobody is rewarded."""
    (row,) = steps(
        run("votes", "algorithm=ettrl", "trainer.steps=1", "rollout.samples=4", "rollout.prompts=16", "seed=2")
    )
    (batch,) = batches
    answers = batch.experience.answer
    assert answers is not None
    groups = [answers[batch.experience.group == p].tolist() for p in range(16)]
    agreeing = [len(set(group)) == 1 or _is_tied([a for a in group if a >= 0]) for group in groups]
    graded = [len(set(batch.experience.rewards[batch.experience.group == p].tolist())) == 1 for p in range(16)]
    assert sum(agreeing) != sum(graded), "a seed at which it matters"
    assert row["group/zero_advantage"] == sum(agreeing) / 16


def _is_tied(votes: list[int]) -> bool:
    counts = sorted(Counter(votes).values())
    return counts[-2:-1] == counts[-1:]
