"""The group `evaluation` has suites for `tvo eval` and what a run evaluates of itself: each command takes its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.config.evaluation_choices import evaluation_choices
from tvo_cli.errors import UserError

SUITES = ["addition", "aime24", "arithmetic", "chain_sums", "gsm8k", "heldout", "jsonl", "math", "math500"]
OF_A_RUN = ["default", "greedy", "off", "quick"]


@pytest.mark.parametrize(("root", "choices"), [("eval", SUITES), ("train", OF_A_RUN)])
def test_a_choice_that_is_not_there_lists_those_that_the_command_takes(root: str, choices: list[str]) -> None:
    with pytest.raises(UserError, match=rf"no such evaluation\. There are: {', '.join(choices)}\. All of them"):
        config.compose(["evaluation=[nope]" if root == "eval" else "evaluation=nope"], root)


@pytest.mark.parametrize("choice", SUITES)
def test_a_suite_is_refused_in_a_run_with_what_a_run_takes(choice: str) -> None:
    """Also one that wants a file: its path is not what is missing."""
    with pytest.raises(UserError, match=rf"^evaluation={choice}: is a suite of `tvo eval`\. In a run: default, greedy"):
        config.compose([f"evaluation={choice}"])


@pytest.mark.parametrize("choice", OF_A_RUN)
def test_what_a_run_evaluates_is_refused_as_a_suite_with_those_there_are(choice: str) -> None:
    with pytest.raises(UserError, match=rf"^evaluation={choice}: is what a run evaluates .* Suites: addition, aime24"):
        config.compose([f"evaluation=[{choice}]"], "eval")
    with pytest.raises(UserError, match=rf"^evaluation={choice}: is what a run evaluates "):
        config.compose([f"evaluation=[math,{choice}]"], "eval")


def test_a_suite_of_ones_own_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/evaluation").mkdir(parents=True)
    Path("conf/evaluation/mine.yaml").write_text("# @package evaluation.suites.mine\n# Mine.\ndefaults: [math]\n")
    Path("conf/evaluation/often.yaml").write_text("# Often.\ndefaults: [quick, _self_]\nevery: 5\n")
    assert evaluation_choices("eval") == sorted([*SUITES, "mine"])
    assert evaluation_choices("train") == sorted([*OF_A_RUN, "often"])
