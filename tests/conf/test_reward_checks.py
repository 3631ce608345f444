"""A reward that would fail at the first step, or teach nothing, is refused before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli.config import compose
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.config.fingerprints import config_fingerprint
from tvo_cli.config.reward_checks import check_judge_of_evaluation
from tvo_cli.errors import UserError

BREVITY = "reward.functions=[{call: mine.py:brevity, weight: 0.2, words: 30}]"
GRADIENT = "reward.weighting=gradient"


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def brevity(responses, words): ...\ndef judge(responses, problems): ...\n")


def check(*words: str) -> None:
    check_across_keys(compose([*words, "output_dir=x"]))


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["reward.functions=[{call: mine.py:brevity}]"], r"^reward\.functions\.0\.words=: is missing"),
        (["reward.correct=0"], r"^reward\.correct=0.*every weight is"),
        (["reward.scorer=mine.py:jdge"], r"^reward\.scorer=mine\.py:jdge: .*Nearest: judge"),
        (["reward.scorer=mine.py:brevity"], r"^reward\.scorer\.words=: is missing"),
        (
            ["reward.weighting=hypervolume", "evaluation.every=0"],
            r"^reward\.weighting=hypervolume: .*evaluation\.every",
        ),
        (["reward.weighting=hypervolume", "evaluation=off"], r"^reward\.weighting=hypervolume: .*evaluation\.problems"),
        ([GRADIENT], "needs two terms of a weight"),
        ([GRADIENT, BREVITY, "reward.correct=-1"], r"^reward\.correct=-1.*must not be negative"),
        ([GRADIENT, BREVITY, "reward.gradient.floor=0.49"], None),
        ([GRADIENT, BREVITY, "reward.format=0.1", "reward.gradient.floor=0.4"], r"leaves no room for 3 weights"),
        ([GRADIENT, BREVITY, "algorithm=ppo"], "has a critic"),
        ([GRADIENT, BREVITY, "algorithm=dapo"], "dynamic sampling"),
        ([GRADIENT, BREVITY, "parallel=shard"], "sharded"),
        ([BREVITY, "reward.correct=0"], None),
        ([BREVITY, GRADIENT], None),
    ],
)
def test_a_reward_is_checked_before_the_first_step(words: list[str], refusal: str | None) -> None:
    if refusal is None:
        check(*words)
        return
    with pytest.raises(UserError, match=refusal):
        check(*words)


def test_an_evaluation_refuses_what_it_would_not_use() -> None:
    with pytest.raises(UserError, match="tvo eval rewards nothing"):
        check_judge_of_evaluation(compose([BREVITY], "eval"))
    suite = ["evaluation=jsonl", "path=x.jsonl", "evaluation.suites.jsonl.dataset.scorer=mine.py:jdge"]
    with pytest.raises(UserError, match=r"^evaluation\.suites\.jsonl\.dataset\.scorer=mine\.py:jdge"):
        check_judge_of_evaluation(compose(suite, "eval"))


def test_what_changes_no_number_changes_no_fingerprint() -> None:
    def fingerprint(*words: str) -> str:
        return config_fingerprint(compose([*words, "output_dir=x"]))

    plain = fingerprint()
    assert fingerprint("reward.gradient.rate=0.5", "reward.isolated=false", "reward.hypervolume.base=1") == plain
    weights = {plain, fingerprint(BREVITY), fingerprint(BREVITY.replace("0.2", "0.3")), fingerprint("reward.correct=2")}
    assert len(weights) == 4
    assert fingerprint(BREVITY, GRADIENT) != fingerprint(BREVITY, GRADIENT, "reward.gradient.rate=0.5")
