from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.processor_time import loops
from tests.reward.conftest import SETTINGS, problem
from tvo_cli.errors import UserError
from tvo_cli.reward import Grader
from tvo_cli.reward import grader as grader_module
from tvo_cli.types import Verdict

Judge = Callable[..., Verdict]


@pytest.mark.parametrize("text", [r"\boxed{371} or \boxed{372}", r"\boxed{372} or \boxed{371}", r"\boxed{371 or 372}"])
def test_a_hedge_is_not_rewarded(judge: Judge, text: str) -> None:
    assert not judge(text, "371").correct
    assert not judge(text, "371", scorer="integer").correct


def test_boxes_of_a_list_are_one_answer(judge: Judge) -> None:
    assert judge(r"\boxed{2} and \boxed{1}", "1,2").correct
    assert judge(r"\boxed{2} and \boxed{3}", "1,2") == Verdict(False, "2, 3", "different")


def test_equal_boxes_are_one_answer(judge: Judge) -> None:
    assert judge(r"\boxed{1/2}, that is \boxed{0.5}", r"\frac12").correct


def test_what_is_said_of_no_answer(judge: Judge) -> None:
    assert judge("five", "5") == Verdict(False, None, "no answer")


def test_an_unfinished_response_is_wrong_unless_asked_otherwise(judge: Judge) -> None:
    assert judge(r"\boxed{5}", "5", finished=False) == Verdict(False, "5", "unfinished")
    with Grader({**SETTINGS, "unfinished": "graded"}) as lenient:
        assert lenient.grade([r"\boxed{5}"], [problem("5")], [False])[0].correct


@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        ("33", True),
        ("033", True),
        (" $33$ ", True),
        ("0033", True),
        ("33.0", True),
        (r"\mathbf{33}", True),
        ("{33}", True),
        (r"\(33\)", True),
        ("x=33", True),
        ("33\\,", True),
        (r"33^\circ", True),
        ("33.5", False),
        ("-33", False),
        ("2x=33", False),
        ("33=34", False),
        ("33 or 34", False),
        ("1033", False),
        ("33,", False),
        ("٣٣", False),
        (r"\frac{66}{2}", False),
    ],
)
def test_integers(judge: Judge, answer: str, correct: bool) -> None:
    assert judge(rf"\boxed{{{answer}}}", "033", scorer="integer").correct is correct


def test_the_profile_judges_where_the_problem_does_not_say() -> None:
    with Grader({**SETTINGS, "profile": "aime"}) as aime:
        texts = [r"\boxed{33.5}", r"\boxed{33}"]
        assert [v.correct for v in aime.grade(texts, [problem("033")] * 2, [True, True])] == [False, True]
        assert aime.grade([r"\boxed{66/2}"], [problem("033", scorer="math")], [True])[0].correct


@pytest.mark.parametrize(
    ("text", "correct"),
    [
        (r"well \boxed{ 2 plain 8 none 8 clean 3 over 1 }", False),
        (r"well \boxed{ 2 plain 8 none 8 clean 3 over 8 none 2 }", True),
        (r"\boxed{288382}", True),
        (r"\boxed{28838²}", False),
        (r"\boxed{ plain }", False),
    ],
)
def test_digits(judge: Judge, text: str, correct: bool) -> None:
    assert judge(text, "288382", scorer="digits").correct is correct


def test_a_gold_the_scorer_cannot_read_is_the_users_error(judge: Judge) -> None:
    with pytest.raises(UserError, match="answer"):
        judge(r"\boxed{1}", "x+1", scorer="integer")
    with pytest.raises(UserError, match="scorer"):
        judge(r"\boxed{1}", "1", scorer="guess")


@pytest.mark.parametrize(
    ("key", "value"), [("profile", "maths"), ("unfinished", "perhaps"), ("deadline", 0.0), ("cap_bytes", 1)]
)
def test_settings_are_checked(key: str, value: object) -> None:
    with pytest.raises(UserError, match=f"reward.{key}"):
        Grader({**SETTINGS, key: value})


def test_the_answer_after_a_megabyte_is_found(judge: Judge) -> None:
    assert judge("x" * 1_000_000 + r" \boxed{5}", "5").correct


def test_the_answer_before_the_cap_is_not(judge: Judge) -> None:
    assert judge(r"\boxed{5}" + "x" * 100_000, "5").reason == "no answer"


def test_a_hundred_plain_answers_start_no_child_and_take_milliseconds() -> None:
    with Grader(SETTINGS) as fresh:
        texts = [rf"so ; \boxed{{ {i % 16} }}" for i in range(128)]
        asked = [problem(str(i % 8)) for i in range(128)]
        taken = loops(lambda: fresh.grade(texts, asked, [True] * 128))
        assert fresh.pool.pids == ()
        assert taken < 3  # about a third


def test_lengths_must_agree(grader: Grader) -> None:
    with pytest.raises(ValueError):
        grader.grade(["a"], [], [])


@pytest.mark.slow  # tests/data/test_reasoning_gym_tasks.py has a fast one
def test_a_reasoning_gym_task_scores_in_the_child(judge: Judge) -> None:
    pytest.importorskip("reasoning_gym")
    import reasoning_gym

    entry = reasoning_gym.create_dataset("spell_backward", size=1, seed=3)[0]
    fields = {"scorer": "reasoning_gym:spell_backward", "metadata": entry["metadata"]}
    assert judge(rf"\boxed{{{entry['answer']}}}", entry["answer"], **fields).correct
    assert not judge(rf"\boxed{{{entry['answer']}x}}", entry["answer"], **fields).correct


def test_without_reasoning_gym_the_user_is_told_what_to_install(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"\.\[reasoning-gym\]"):
        judge(r"\boxed{1}", "1", scorer="reasoning_gym:spell_backward")


def test_the_package_needs_no_torch() -> None:
    import subprocess

    program = "import tvo_cli.reward.grader, tvo_cli.reward.reward_terms, tvo_cli.stats, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "sympy", "math_verify", "omegaconf"} & set(loaded)


def test_tuples_pass_through_the_pipe() -> None:
    import json

    from tvo_cli.reward.json_tuples import tag_tuples, untag_tuples

    value = {"grid": ((0, 1), (2, 3)), "list": [1, (2,)], "nested": {"a": ()}}
    assert json.loads(json.dumps(tag_tuples(value)), object_hook=untag_tuples) == value


@pytest.mark.slow
def test_every_reasoning_gym_task_accepts_its_own_answer() -> None:
    """As the library itself scores it, in a process that evaluates nothing."""
    reasoning_gym = pytest.importorskip("reasoning_gym")
    from reasoning_gym.factory import DATASETS

    texts, asked = [], []
    for name in sorted(set(DATASETS) - {"composite"}):
        entry = reasoning_gym.create_dataset(name, size=1, seed=1)[0]
        if reasoning_gym.get_score_answer_fn(name)(entry["answer"], entry) == 1.0:
            texts.append(str(entry["answer"]))
            fields = {"scorer": f"reasoning_gym:{name}", "question": entry["question"], "metadata": entry["metadata"]}
            asked.append(problem(str(entry["answer"]), **fields))
    with Grader({**SETTINGS, "deadline": 60.0}) as patient:
        verdicts = patient.grade([rf"\boxed{{{text}}}" for text in texts], asked, [True] * len(texts))
    judged = [(p.scorer, v) for p, v in zip(asked, verdicts) if not v.correct and v.reason != "no answer"]
    assert len(texts) > 80
    assert judged == []


def test_a_response_without_a_box_is_wrong_unless_asked_otherwise(judge: Judge) -> None:
    texts = ["so the answer is 5.", "5", r"5 \boxed{6}", r"the answer is 5 \boxed{"]
    assert [judge(text, "5").correct for text in texts] == [False] * 4
    for mode, right in (("stated", [True, False, False, False]), ("whole", [False, True, False, False])):
        with Grader({**SETTINGS, "unboxed": mode}) as lenient:
            verdicts = lenient.grade(texts, [problem("5")] * 4, [True] * 4)
        assert [verdict.correct for verdict in verdicts] == right, mode


@pytest.mark.parametrize("gold", ["(" * 500 + "x" + ")" * 500, "x" * 5000, "\x00", "{" * 100_000])
def test_a_gold_that_is_no_answer_is_a_failure_and_no_verdict(judge: Judge, gold: str) -> None:
    verdict = judge(r"\boxed{x+1}", gold)
    assert verdict.failed and not verdict.correct and verdict.reason == "gold unreadable"


def test_processors_are_counted_where_linux_calls_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from tvo_cli.reward.worker_pool import processors_for_workers

    assert processors_for_workers() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert processors_for_workers() == 3


def test_the_audit_reports_where_a_second_grader_differs(sharing: Callable[..., Grader]) -> None:
    """Equal, different, a row only math-verify takes (no box), one that only our rules refuse (a hedge by boxes)."""
    texts = [
        r"\boxed{\sqrt{12}}",
        r"\boxed{\sqrt{13}}",
        r"the answer is $2\sqrt{3}$",
        r"$2\sqrt3$ or $\boxed{2\sqrt{3}} or 7",
    ]
    asked = [problem(r"2\sqrt{3}", id=str(row)) for row in range(4)]
    grader = sharing(audit=True)
    verdicts = grader.grade(texts, asked, [True] * 4)
    grader.grade([r"\boxed{5}"], [problem("5", id="digits", scorer="digits")], [True])
    assert [(v.correct, v.second) for v in verdicts] == [(True, True), (False, False), (False, True), (False, True)]
    audit = grader.audit
    assert (audit.compared, audit.differing, audit.rate, audit.not_compared) == (4, 2, 0.5, 1)
    assert [(row.id, row.gold, row.reason) for row in grader.disagreements] == [
        ("2", r"2\sqrt{3}", "no answer"),
        ("3", r"2\sqrt{3}", "several answers"),
    ]


def test_without_the_audit_nobody_else_is_asked(judge: Judge, grader: Grader) -> None:
    assert judge(r"\boxed{\sqrt{12}}", r"2\sqrt{3}").second is None
    assert grader.audit.compared == 0 and grader.audit.rate is None and grader.disagreements == []


@pytest.mark.slow
def test_a_bomb_for_the_second_grader_is_not_compared() -> None:
    with Grader({**SETTINGS, "audit": True, "deadline": 0.3}) as grader:
        (verdict,) = grader.grade([r"\boxed{\sqrt{9^{9^{9^{9^9}}}}}"], [problem(r"2\sqrt{3}")], [True])
    assert verdict.failed and verdict.second is None and grader.audit.not_compared == 1


def test_a_row_that_the_second_grader_fails_on_is_not_compared(
    sharing: Callable[..., Grader], monkeypatch: pytest.MonkeyPatch
) -> None:
    grader = sharing(audit=True)
    failed = {"row": 0, "correct": False, "reason": "timeout", "failed": True}
    monkeypatch.setattr(grader.pool, "judge", lambda requests: [failed for _ in requests])
    (verdict,) = grader.grade([r"\boxed{\sqrt{12}}"], [problem(r"2\sqrt{3}")], [True])
    assert verdict.failed and verdict.second is None and grader.audit.not_compared == 1


@pytest.mark.parametrize(("sharing", "workers"), [(1, 6), (2, 3), (8, 1)])
def test_graders_that_share_processors_share_them_out(
    monkeypatch: pytest.MonkeyPatch, sharing: int, workers: int
) -> None:
    monkeypatch.setattr(grader_module, "processors_for_workers", lambda: 6)
    with Grader({"profile": "math"}, sharing=sharing) as one:
        assert one.pool.workers == workers
