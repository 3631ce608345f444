"""The rows of a fine-tuning: which come when, and what is done with those that are too long."""

from __future__ import annotations

from typing import Any

import pytest

from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.data.demonstration_sources import SolvedProblems
from tvo_cli.data.demonstrations import with_conversation
from tvo_cli.data.problems import ProblemList
from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.training.run_data.demonstration_encoding import DemonstrationEncoder, EncodedSequence
from tvo_cli.training.run_data.demonstration_rows import (
    DemonstrationLengthLimit,
    EncodedDemonstrations,
    GeneratedRows,
    rows_of,
)
from tvo_cli.types import Problem

PLAIN: dict[str, Any] = {"template": "plain", "system": None, "suffix": ""}
ANY = DemonstrationLengthLimit(None, "max_length", skip=False)


@pytest.fixture(scope="module")
def encoder() -> DemonstrationEncoder:
    node = {"path": "fresh", "revision": None, "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
    policy: Policy = load_policy(node, device="cpu")
    return DemonstrationEncoder.of(policy, PLAIN)


def problems(*replies: str, answer: str = "") -> ProblemList:
    rows = [with_conversation(Problem(f"{n}", "1 + 1 =", answer, "mine"), one) for n, one in enumerate(replies)]
    return ProblemList("mine", rows)


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    rows = EncodedDemonstrations([EncodedSequence(str(n), (n,), (True,)) for n in range(12)], seed=0, left_out=0)
    epochs = [[rows.at(number).id for number in range(12 * epoch, 12 * epoch + 12)] for epoch in range(3)]
    assert all(sorted(epoch, key=int) == [str(n) for n in range(12)] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    other = EncodedDemonstrations([EncodedSequence(str(n), (n,), (True,)) for n in range(12)], seed=1, left_out=0)
    assert [other.at(n).id for n in range(12)] != epochs[0]


def test_too_long_rows_are_refused_with_their_row_or_left_out_and_counted(
    encoder: DemonstrationEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    mine = problems("2", "2 then 2 then 2", "2")  # 5 + 1 + 1 tokens, and 5 + 5 + 1
    with pytest.raises(UserError, match=r"^too_long=refuse: 1 has 11 tokens with its reply, and 8 fit \(max_length\)"):
        rows_of(mine, encoder, 0, DemonstrationLengthLimit(8, "max_length", skip=False))
    found = rows_of(mine, encoder, 0, DemonstrationLengthLimit(8, "max_length", skip=True))
    assert (found.size, found.left_out) == (2, 1)
    assert "1 of 3 rows have more than 8 tokens (max_length; longest: 1) and are left out" in caplog.text
    with pytest.raises(UserError, match=r"^max_length=3: leaves out all 3 rows"):
        rows_of(mine, encoder, 0, DemonstrationLengthLimit(3, "max_length", skip=True))
    assert rows_of(mine, encoder, 0, DemonstrationLengthLimit(11, "max_length", skip=False)).size == 3


def test_replies_that_the_model_cannot_read_are_refused(encoder: DemonstrationEncoder) -> None:
    with pytest.raises(UserError, match=r"does not know 67% of the tokens of the replies"):
        rows_of(problems("two apples"), encoder, 0, ANY)


def test_answers_that_no_grader_would_find_are_counted(
    encoder: DemonstrationEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    rows_of(problems("2", "\\boxed{ 2 }", answer="2"), encoder, 0, ANY)
    assert (
        "1 of 2 replies (first: 0) state their answer in no \\boxed{}" in caplog.text
        and "append_answer=" in caplog.text
    )
    caplog.clear()
    rows_of(problems("2"), encoder, 0, ANY)  # no answer is stated, so none is looked for
    assert not caplog.records


def test_generated_rows_come_in_their_order_and_again_where_they_are_limited(encoder: DemonstrationEncoder) -> None:
    made = ArithmeticProblems(ArithmeticSettings(), split="train", seed=0, limit=3)
    rows = rows_of(SolvedProblems("arithmetic", made, 0), encoder, 0, ANY)
    assert isinstance(rows, GeneratedRows) and rows.size == 3
    assert [rows.at(n).id for n in range(5)] == [made.problem(n % 3).id for n in range(5)]
    with pytest.raises(UserError, match=r"^max_length=8: arithmetic/0/train/0 has .* cannot be left out"):
        rows_of(
            SolvedProblems("arithmetic", made, 0), encoder, 0, DemonstrationLengthLimit(8, "max_length", skip=True)
        ).at(0)
