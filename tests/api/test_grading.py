"""Rows of a program, graded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tvo_cli as tvo
from tvo_cli.readers.numbers_as_spelled import SpelledNumber, numbers_by_value
from tvo_cli.reward.rows_to_grade import RowSource, read_row_mappings

SOURCE = RowSource("rows")


def read(*rows: Any, source: RowSource = SOURCE) -> list[tuple[str, str]]:
    return [(row.gold, row.prediction) for row in read_row_mappings(rows, source)]


def test_scalars_of_numpy_and_what_pandas_misses_are_read_as_python_s_own() -> None:
    given: list[dict[str, Any]] = [
        {"gold": np.int64(4), "prediction": np.float64(4.5)},
        {"gold": "4", "prediction": float("nan")},
        {"gold": "4", "prediction": pd.NA},
        {"gold": np.array([1, 2]), "prediction": None},
    ]
    assert read(*given) == [("4", "4.5"), ("4", ""), ("4", ""), ("1, 2", "")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"gold": "4"}, "rows, row=2: has no field 'prediction' but gold."),
        ({"gold": None, "prediction": "4"}, "rows, row=2: its gold is null"),
        (("4", "4"), "rows, row=2: is tuple, no mapping."),
        ({"gold": "4", "prediction": True}, "rows, row=2: its prediction is bool, not a text."),
    ],
    ids=["no prediction", "no gold", "no mapping", "no text"],
)
def test_a_row_that_cannot_be_graded_is_named(row: Any, said: str) -> None:
    with pytest.raises(tvo.UserError) as refused:
        read({"gold": "4", "prediction": "4"}, row)
    assert str(refused.value).startswith(said)


def test_numbers_of_a_file_are_numbers_again() -> None:
    given = {"id": SpelledNumber("7"), "p": [SpelledNumber("0.10"), {"n": SpelledNumber("-1e3")}], "text": "7"}
    assert numbers_by_value(given) == {"id": 7, "p": [0.1, {"n": -1000.0}], "text": "7"}


@pytest.mark.slow
def test_rows_a_frame_and_a_file_get_the_same_verdicts(tmp_path: Path) -> None:
    rows = [{"id": n, "answer": r"\frac12", "text": text} for n, text in enumerate((r"\boxed{0.5}", r"\boxed{2}", "5"))]
    frame, file = pd.DataFrame(rows), tmp_path / "rows.jsonl"
    frame.to_json(file, orient="records", lines=True)
    given: list[Any] = [rows, frame, file, str(file)]
    found = [tvo.grade(one, gold="answer", prediction="text", workers=1) for one in given]
    assert [(row["id"], row["correct"], row["reason"]) for row in found[0]] == [
        (0, True, "equal"),
        (1, False, "different"),
        (2, False, "no answer"),
    ]
    assert all(one == found[0] for one in found)
    with pytest.raises(tvo.UserError, match=r"Name it: prediction=FIELD"):
        tvo.grade(rows, gold="answer")
