"""Other data under the same name: seen when a run goes on, refused unless it is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tvo_cli.checkpoint import checkpoint_folders, checkpoint_writer
from tvo_cli.data.problems import ProblemList
from tvo_cli.data.subset import Subset
from tvo_cli.errors import UserError
from tvo_cli.training.resume import same_dataset
from tvo_cli.types import Problem

Run = Callable[..., Path]
PROBLEMS = [Problem(f"id{i}", f"q{i}", str(i), "mine") for i in range(4)]


def stated(rows: list[Problem]) -> str:
    return same_dataset.dataset_fingerprints(ProblemList("mine", rows), ())["data"]


def test_the_hash_is_of_questions_turns_golds_and_order() -> None:
    first = PROBLEMS[0]
    other = [
        [replace(first, question="q"), *PROBLEMS[1:]],
        [replace(first, answer="00"), *PROBLEMS[1:]],
        [replace(first, scorer="integer"), *PROBLEMS[1:]],
        [replace(first, turns=(("system", "s"),)), *PROBLEMS[1:]],
        PROBLEMS[::-1],
        PROBLEMS[1:],
        [*PROBLEMS[:3], replace(PROBLEMS[3], answer="x")],
    ]
    assert len({stated(rows) for rows in [PROBLEMS, *other]}) == 8
    assert stated([replace(p, id=f"else{p.id}", source="renamed") for p in PROBLEMS]) == stated(PROBLEMS)
    assert same_dataset.dataset_fingerprints(Subset(ProblemList("mine", PROBLEMS), [0, 2]), ())["data"] == stated(
        PROBLEMS[::2]
    )


def test_every_row_of_a_large_file_counts() -> None:
    many = [replace(PROBLEMS[0], question=str(i)) for i in range(5000)]
    assert stated(many) != stated([*many[:-1], replace(many[-1], answer="x")])


@pytest.fixture
def sums(tmp_path: Path) -> Callable[[int], str]:
    def write(shift: int, rows: int = 20) -> str:
        path = tmp_path / "sums.jsonl"
        lines = [json.dumps({"question": f"{i % 8} + {i // 8} = _", "answer": (i + shift) % 16}) for i in range(rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return write


DATA = ("dataset=jsonl", "dataset.suffix=''", "dataset.max_tokens=8", "trainer.checkpoint_every=1")


@pytest.mark.slow
def test_a_run_goes_on_with_the_data_it_had_only(run: Run, sums: Callable[..., str]) -> None:
    """The refusal touches nothing: with the data put back the run goes on."""
    path = f"dataset.path={sums(0)}"
    folder = run("a", *DATA, path, "trainer.steps=1")
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    sums(1)
    with pytest.raises(UserError, match=r"dataset=18:\w+: holds other problems .*resume\.allow=\[dataset\.content\]"):
        run("a", *DATA, path, "trainer.steps=2")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    sums(0)
    run("a", *DATA, path, "trainer.steps=2")
    assert json.loads((folder / "summary.json").read_text())["steps"] == 2


@pytest.mark.slow
def test_other_data_are_refused_behind_a_damaged_checkpoint(run: Run, sums: Callable[..., str]) -> None:
    path = f"dataset.path={sums(0)}"
    folder = run("a", *DATA, path, "trainer.steps=2", "trainer.keep=2")
    newest = checkpoint_folders.list_checkpoints(folder / "checkpoints")[-1]
    (newest / "state.json").write_text("{")
    sums(1)
    with pytest.raises(UserError, match=r"holds other problems"):
        run("a", *DATA, path, "trainer.steps=3", "trainer.keep=2")


@pytest.mark.slow
@pytest.mark.parametrize("allow", ["dataset", pytest.param("dataset.content", marks=pytest.mark.slow)])
def test_other_data_pass_when_they_are_allowed_also_of_another_size(
    run: Run, sums: Callable[..., str], allow: str
) -> None:
    path = f"dataset.path={sums(0)}"
    run("a", *DATA, path, "trainer.steps=1")
    sums(1, 24)
    folder = run("a", *DATA, path, "trainer.steps=2", f"resume.allow=[{allow}]")
    newest = checkpoint_folders.read_stored_state(checkpoint_folders.list_checkpoints(folder / "checkpoints")[-1])
    assert (newest["cursor"]["epoch"], newest["cursor"]["position"], newest["cursor"]["size"]) == (1, 8, 22)
    said = (folder / "run.log").read_text()
    assert "resume.allow: dataset.content: the training problems differ from the checkpoint's" in said


@pytest.mark.slow
def test_a_checkpoint_from_before_the_hash_goes_on_with_a_word(run: Run, sums: Callable[..., str]) -> None:
    path = f"dataset.path={sums(0)}"
    folder = run("a", *DATA, path, "trainer.steps=1")
    held = checkpoint_folders.list_checkpoints(folder / "checkpoints")[-1]
    _without_hash(held)
    run("a", *DATA, path, "trainer.steps=2")
    assert "does not name the problems it was trained on" in (folder / "run.log").read_text()
    assert json.loads((folder / "summary.json").read_text())["steps"] == 2


def _without_hash(held: Path) -> None:
    """The checkpoint as it was written before, its own checksums mended."""
    parts, state = checkpoint_folders.load_checkpoint(held)
    state["origin"] = {key: value for key, value in state["origin"].items() if key not in ("data", "heldout")}
    policy = (held / "policy" / "model.safetensors").read_bytes()

    kept = held.with_name("kept")
    held.rename(kept)
    checkpoint_writer.save_checkpoint(
        held,
        policy=lambda folder: (
            [folder.mkdir(parents=True, exist_ok=True)]
            and [(folder / f.name).write_bytes(f.read_bytes()) for f in (kept / "policy").iterdir()]
        ),
        policy_bytes=len(policy),
        tensors=parts,
        state=state,
    )


def test_other_held_out_problems_are_said() -> None:
    said = list[str]()
    before, now = {"data": "1:a", "heldout": "x"}, {"data": "1:a", "heldout": "y"}
    same_dataset.compare_dataset_fingerprints(before, now, (), said.append)
    assert len(said) == 1 and "held-out problems are not those" in said[0]
    same_dataset.compare_dataset_fingerprints(before, {"data": "1:a"}, (), said.append)
    assert len(said) == 1
