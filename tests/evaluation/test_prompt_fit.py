"""An evaluation looks at its prompts before it begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment import evaluate

SUITE = "evaluation.suites.jsonl.dataset"


def rows(folder: Path, *questions: str) -> str:
    path = folder / "mine.jsonl"
    lines = [json.dumps({"question": q, "answer": [10]}) for q in questions]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def run(folder: Path, path: str, *words: str) -> list[dict[str, Any]]:
    chosen = ("evaluation=jsonl", f"path={path}", "protocol.suffix=''", "protocol.max_tokens=20", "threads=1", *words)
    evaluate(config.compose([*chosen, f"output_dir={folder / 'out'}"], "eval"), lambda _: None)
    return [json.loads(line) for line in (folder / "out" / "responses.jsonl").read_text().splitlines()]


SUMS = ("7 + 3 = _", "3 + 7 = _", "1 + 9 = _")


def test_text_that_the_model_cannot_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.path=packaged:tiny: .* of the jsonl prompts .*model=custom"):
        run(tmp_path, rows(tmp_path, *SUMS, "How many apples are left?"))
    assert not (tmp_path / "out" / "responses.jsonl").exists()


def test_long_problems_are_left_out_when_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = rows(tmp_path, *SUMS, "7 " * 60)
    with pytest.raises(
        UserError, match=rf"the prompt of mine/4 has 61 tokens.*leave 1 of 4.*{SUITE}\.max_prompt_tokens=44"
    ):
        run(tmp_path, path)
    found = run(tmp_path, path, f"{SUITE}.max_prompt_tokens=44")
    assert [(row["id"], row["gold"]) for row in found] == [(f"mine/{i}", "10") for i in (1, 2, 3)]
    assert f"{SUITE}.max_prompt_tokens=44 leaves out 1 of 4 problems" in caplog.text


def test_a_special_token_in_a_question_is_text_and_is_kept_in_the_response(tmp_path: Path) -> None:
    path = rows(tmp_path, *[sum_ for sum_ in SUMS for _ in range(20)][:59], "7 + 3 = </s>")
    found = {row["id"]: row["prompt"] for row in run(tmp_path, path)}
    assert found["mine/60"] == "7 + 3 = </s>"


def test_the_prompts_of_every_strategy_are_looked_at(tmp_path: Path) -> None:
    """Which a question gets is known later: with the normal one's suffix alone left out, the others are refused."""
    words = ["evaluation=arithmetic", "evaluation.limit=2", "protocol=diffadapt", "protocol.suffix=''", "threads=1"]
    left_out = r"protocol\.suffix='' protocol\.adapt\.easy\.suffix='' protocol\.adapt\.hard\.suffix=''"
    with pytest.raises(UserError, match=rf"of the arithmetic \(easy\) prompts .*{left_out}"):
        evaluate(config.compose([*words, f"output_dir={tmp_path / 'out'}"], "eval"), lambda _: None)
    assert not (tmp_path / "out").exists()
