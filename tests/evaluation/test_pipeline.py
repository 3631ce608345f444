"""Whole evaluations by an engine without a model: resume, limits, regrading, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.conftest import MODEL, Parrot, run
from tvo_cli.errors import UserError
from tvo_cli.evaluation.pipeline import regrade_folder

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.evaluation.generate_and_grade import EvaluatorProgress


def figures(summary: dict[str, Any]) -> dict[str, Any]:
    """Without what a clock says."""
    clock = {"seconds", "tokens_per_second"}
    return {k: v for k, v in summary["suites"]["jsonl"].items() if k not in clock}


def test_a_whole_evaluation(asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path) -> None:
    steps: list[EvaluatorProgress] = []
    summary = run(asked("decoding.greedy=true"), Parrot(golds), steps=steps)
    found = summary["suites"]["jsonl"]
    assert found["avg"]["mean"] == 0.5
    assert found["greedy"]["mean"] == 1.0
    assert found["protocol"] == "boxed"
    assert set(found["level"]) == {"1", "2"}
    rows = [json.loads(line) for line in (tmp_path / "run" / "responses.jsonl").read_text().splitlines()]
    assert len(rows) == 6 * 4 + 6
    assert rows[0] | {"seconds": 0} == {
        **{"suite": "jsonl", "id": "p0", "decoding": "sampled", "sample": 0, "seed": 4242, "level": "1"},
        **{"subject": "", "gold": "0", "prompt": rows[0]["prompt"], "completion": "so \\boxed{0}", "extracted": "0"},
        **{
            "correct": True,
            "reason": "equal",
            "failed": False,
            "tokens": 3,
            "finish": "stop",
            "seconds": 0,
            "second": None,
        },
    }
    assert (steps[-1].done, steps[-1].total, steps[-1].right, steps[-1].judged) == (30, 30, 12, 24)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["suites"]["jsonl"]["avg"]["mean"] == 0.5


def test_batches_hold_prompts_of_like_length(asked: Callable[..., DictConfig], golds: dict[str, str]) -> None:
    engine = Parrot(golds)
    run(asked(), engine)
    assert engine.asked == [("p0", "p1"), ("p2", "p3"), ("p4", "p5")], "8 rows are two problems of four samples"


def test_the_same_command_goes_on_with_the_same_numbers(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    whole = run(asked(folder="whole"), Parrot(golds))
    engine = Parrot(golds)
    engine.fail_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(asked(), engine)
    path = tmp_path / "run" / "responses.jsonl"
    path.write_bytes(path.read_bytes()[:-40])  # torn inside the last line: p3 has three of four samples
    again = Parrot(golds)
    steps: list[EvaluatorProgress] = []
    found = run(asked(), again, steps=steps)
    assert again.asked == [("p3", "p4"), ("p5",)]
    assert steps[-1].done == steps[-1].total == 24
    assert figures(found) == figures(whole)
    assert run(asked(), Parrot({})) == found, "all is there: nobody is asked"


def test_a_torn_line_is_said(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(asked(), Parrot(golds))
    with (tmp_path / "run" / "responses.jsonl").open("ab") as file:
        file.write(b'{"suite"')
    run(asked(), Parrot({}))
    assert "the last line was incomplete (8 bytes)" in caplog.text


def test_a_limit_and_ids_choose_and_the_rest_can_follow(
    asked: Callable[..., DictConfig], golds: dict[str, str]
) -> None:
    assert run(asked("evaluation.limit=2"), Parrot(golds))["suites"]["jsonl"]["problems"] == 2
    engine = Parrot(golds)
    assert run(asked("evaluation.ids=[p4,p1]"), engine)["suites"]["jsonl"]["problems"] == 2
    assert engine.asked == [("p4",)], "p1 was there already"
    engine = Parrot(golds)
    assert run(asked(), engine)["suites"]["jsonl"]["problems"] == 6
    assert sorted(key for keys in engine.asked for key in keys) == ["p2", "p3", "p5"]
    with pytest.raises(UserError, match=r"evaluation\.ids=p9: no problem has this id"):
        run(asked("evaluation.ids=[p9]"), engine)


@pytest.mark.parametrize(
    ("overrides", "model", "said"),
    [
        ([], MODEL | {"weights": "other"}, "another model"),
        (["evaluation.seed=1"], MODEL, "another seed"),
        (["decoding.samples=2"], MODEL, r"another jsonl\.protocol_hash"),
        (["protocol.suffix=x"], MODEL, r"another jsonl\.protocol_hash"),
    ],
)
def test_two_evaluations_never_mix_in_a_folder(
    asked: Callable[..., DictConfig],
    golds: dict[str, str],
    tmp_path: Path,
    overrides: list[str],
    model: dict[str, str],
    said: str,
) -> None:
    run(asked(), Parrot(golds))
    before = (tmp_path / "run" / "responses.jsonl").read_bytes()
    with pytest.raises(UserError, match=said):
        run(asked(*overrides), Parrot(golds), model)
    assert (tmp_path / "run" / "responses.jsonl").read_bytes() == before


def test_the_same_weights_by_another_path_go_on(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    """`model.path=runs/a` and `model.path=/home/me/runs/a` are one model."""
    pair: dict[str, Any] = {"small": "b", "weights": "f" * 16, "parameters_small": 1, "parameters_large": 2}
    model: dict[str, Any] = {**MODEL, "weights": "0123456789abcdef", "pair": pair}
    run(asked("evaluation.limit=2"), Parrot(golds), model)
    engine = Parrot(golds)
    run(asked(), engine, model | {"model": "/home/me/m", "pair": pair | {"small": "/b"}})
    assert len({key for keys in engine.asked for key in keys}) == 4, "what was there already is kept"
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["model"]["model"] == "/home/me/m"
    other: dict[str, Any] = {"pair": pair | {"weights": "0" * 16}}
    for changed in ({"weights": "0" * 16}, {"dtype": "bfloat16"}, other):
        with pytest.raises(UserError, match="another model"):
            run(asked(), Parrot(golds), model | changed)


def test_two_hub_ids_of_one_revision_are_two_models(asked: Callable[..., DictConfig], golds: dict[str, str]) -> None:
    run(asked(), Parrot(golds), MODEL | {"weights": "main"})
    with pytest.raises(UserError, match="another model"):
        run(asked(), Parrot(golds), MODEL | {"weights": "main", "model": "OTHER/NAME"})


def test_predictions_are_graded_later_without_a_model(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    whole = run(asked(folder="whole"), Parrot(golds))
    config = asked("evaluation.predict_only=true")
    found = run(config, Parrot(golds))["suites"]["jsonl"]
    assert not found["graded"]
    assert "avg" not in found
    summary = regrade_folder(tmp_path / "run", config.reward, 0.95)
    assert figures(summary) == figures(whole)
    assert summary["changed"] == 24
    assert (tmp_path / "run" / "responses.previous.jsonl").is_file()
    assert regrade_folder(tmp_path / "run", config.reward, 0.95)["changed"] == 0


def test_predictions_are_graded_by_the_command_without_the_flag(
    asked: Callable[..., DictConfig], golds: dict[str, str]
) -> None:
    run(asked("evaluation.predict_only=true"), Parrot(golds))
    assert run(asked(), Parrot({}))["suites"]["jsonl"]["avg"]["mean"] == 0.5


@pytest.mark.slow
def test_verdicts_carry_the_rules_that_gave_them(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Parrot(golds)
    engine.fail_after = 2
    with monkeypatch.context() as old:
        old.setattr("tvo_cli.evaluation.suite.grader_version", lambda *_: "old rules")
        with pytest.raises(KeyboardInterrupt):
            run(asked(), engine)
    path = tmp_path / "run" / "responses.jsonl"
    path.write_bytes(path.read_bytes()[:-40])  # torn: p3 has three of four samples
    with pytest.raises(UserError, match=r"judged by other rules \(old rules\).*tvo eval --regrade .*run"):
        run(asked(), Parrot(golds))
    part = regrade_folder(tmp_path / "run", asked().reward, 0.95)["suites"]["jsonl"]
    again = Parrot(golds)
    found = run(asked(), again)["suites"]["jsonl"]
    assert again.asked == [("p3", "p4"), ("p5",)], "the first three are kept"
    fresh = run(asked(folder="fresh"), Parrot(golds))["suites"]["jsonl"]
    assert part["protocol_hash"] == found["protocol_hash"] == fresh["protocol_hash"]
    assert (part["problems"], found["problems"]) == (3, 6)
    assert part["fingerprint"] != found["fingerprint"] == fresh["fingerprint"]


@pytest.mark.slow
def test_a_part_of_a_suite_is_not_the_suite(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    part = run(asked("evaluation.ids=[p4,p1]"), Parrot(golds))["suites"]["jsonl"]
    assert part["fingerprint"] != run(asked("evaluation.limit=2"), Parrot(golds))["suites"]["jsonl"]["fingerprint"]
    whole = run(asked(), Parrot(golds))["suites"]["jsonl"]["fingerprint"]
    assert whole != part["fingerprint"]
    run(asked("evaluation.ids=[p4]"), Parrot(golds))
    again = regrade_folder(tmp_path / "run", asked().reward, 0.95)["suites"]["jsonl"]
    assert again["fingerprint"] == whole, "all of it was graded again, whatever was asked last"


def test_regrading_needs_an_evaluation(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the folder of an evaluation"):
        regrade_folder(tmp_path, {}, 0.95)


def test_against_a_base_model(asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path) -> None:
    run(asked(folder="base"), Parrot(golds, lambda key, sample: key in ("p0", "p1", "p2")))
    engine = Parrot(golds, lambda key, sample: key in ("p2", "p3") and sample == 1)
    found = run(asked(f"evaluation.base={tmp_path / 'base'}"), engine, MODEL | {"weights": "new"})
    support = found["suites"]["jsonl"]["support"]
    assert (support["kept"], support["gained_ids"], support["lost_ids"], support["neither"]) == (
        *(1, ["p3"], ["p0", "p1"]),
        2,
    )
    assert support["SRR"] == pytest.approx(1 / 3)
    other = asked("decoding.samples=2", f"evaluation.base={tmp_path / 'base'}", folder="other")
    with pytest.raises(UserError, match="another protocol"):
        run(other, Parrot(golds))


def test_a_prompt_that_does_not_fit_is_said_with_the_numbers(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"protocol\.max_tokens=2048.*p5 has \d+ tokens.*context is 100.*at most"):
        run(asked(), Parrot(golds, context=100))
    assert not (tmp_path / "run").exists(), "nothing is left behind"


def test_duplicate_ids_and_missing_answers_are_refused(
    asked: Callable[..., DictConfig], golds: dict[str, str], problems: Path
) -> None:
    problems.write_text(problems.read_text() + '{"id": "p1", "question": "x", "answer": "1"}\n')
    with pytest.raises(UserError, match=r"line 7 has the id 'p1' of line 2"):
        run(asked(), Parrot(golds))
    problems.write_text('{"id": "p1", "question": "x"}\n')
    with pytest.raises(UserError, match="line 1 has no answer"):
        run(asked(), Parrot(golds))


def test_support_is_of_the_problems_asked_for(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    """The base solves p0 and p5, the new model p0 and p1: of the first two problems p0 is kept and p1 gained."""
    run(asked(folder="base"), Parrot(golds, lambda key, sample: key in ("p0", "p5")))
    base = f"evaluation.base={tmp_path / 'base'}"
    run(asked(), Parrot(golds, lambda key, sample: key in ("p0", "p1")))
    found = run(asked(base, "evaluation.limit=2"), Parrot({}))["suites"]["jsonl"]
    assert (found["problems"], found["support"]["kept"], found["support"]["gained_ids"]) == (2, 1, ["p1"])
    assert (found["support"]["lost"], found["support"]["neither"]) == (0, 0), "p5 was not asked for"


def test_a_base_that_lacks_problems_is_said(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(asked("evaluation.limit=2", folder="base"), Parrot(golds))
    path = tmp_path / "base" / "responses.jsonl"
    path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines()[:5]))  # p1 has one of four samples
    base = f"evaluation.base={tmp_path / 'base'}"
    support = run(asked(base), Parrot(golds))["suites"]["jsonl"]["support"]
    assert sum(support[name] for name in ("kept", "gained", "lost", "neither")) == 1
    assert f"{base}: jsonl was evaluated there on 1 of 6 problems; support is of those" in caplog.text
    with pytest.raises(UserError, match=r"evaluation\.base=.*jsonl was evaluated there on 0 of 1 problems"):
        run(asked(base, "evaluation.ids=[p4]", folder="other"), Parrot(golds))


def test_support_is_not_read_from_ungraded_responses(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    run(asked("evaluation.predict_only=true", folder="base"), Parrot(golds))
    base = f"evaluation.base={tmp_path / 'base'}"
    with pytest.raises(UserError, match=r"evaluation\.base=.*has not been graded.*tvo eval --regrade .*base"):
        run(asked(base), Parrot(golds))
    regrade_folder(tmp_path / "base", asked().reward, 0.95)
    assert "support" not in run(asked(base, "evaluation.predict_only=true"), Parrot(golds))["suites"]["jsonl"]
