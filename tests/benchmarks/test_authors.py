"""Comparisons with authors' code: how it is taken out of a repository, and that a difference is seen."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks.authors.benchmark import COMPARISONS, Chosen, measure
from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, random_batch
from benchmarks.authors.released_code import Released, ReleasedAssignments, ReleasedStatements
from benchmarks.harness.benchmark import Skipped
from tvo_cli import config
from tvo_cli.cli.algorithm_descriptions import WEAKEST_FIRST, fidelities_of_pieces, fidelity_grade
from tvo_cli.cli.methods_elsewhere import METHODS_ELSEWHERE

CODE = """
import a_package_that_nobody_has


@a_package_that_nobody_has.registered
def doubled(x: a_package_that_nobody_has.Tensor):
    return plus(x, x)


class Loss:
    def compute(self, logp, old):
        steps = 0
        for _ in range(2):
            ratio = (logp - old).exp()
            loss = -ratio.mean()
            if steps:
                loss = 2 * loss
            after = loss + 1
        return after
"""


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A folder with a clone of OWNER/NAME, and its commit."""
    clone = tmp_path / "owner" / "name"
    clone.mkdir(parents=True)
    (clone / "code.py").write_text(CODE)
    subprocess.run(["git", "-C", str(clone), "init", "-q"], check=True)
    return tmp_path, commit_all(clone)


def commit_all(clone: Path) -> str:
    """Commit what the folder holds; the commit."""
    git = ["git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_a_definition_is_run_without_the_packages_around_it(repository: tuple[Path, str]) -> None:
    checkouts, commit = repository
    found = Released("owner/name", commit, "code.py", ("doubled",)).load(checkouts, {"plus": lambda x, y: x + y})
    assert found.doubled(3) == 6
    with pytest.raises(KeyError, match="halved"):
        Released("owner/name", commit, "code.py", ("halved",)).load(checkouts, {})


def test_it_is_the_code_of_the_commit_whatever_the_folder_holds_now(repository: tuple[Path, str]) -> None:
    checkouts, commit = repository
    clone = checkouts / "owner" / "name"
    (clone / "code.py").write_text("def doubled(x):\n    return 0\n")
    commit_all(clone)
    found = Released("owner/name", commit, "code.py", ("doubled",)).load(checkouts, {"plus": lambda x, y: x + y})
    assert found.doubled(3) == 6


def test_a_clone_that_is_not_there_is_named(repository: tuple[Path, str]) -> None:
    checkouts, commit = repository
    for other in (Released("owner/other", commit, "code.py", ("f",)), Released("owner/name", "0" * 40, "a.py", ("f",))):
        with pytest.raises(Skipped, match=r"git clone https://github\.com/owner/"):
            other.load(checkouts, {})


def test_statements_of_a_loop_are_run_from_one_name_to_another(repository: tuple[Path, str]) -> None:
    checkouts, commit = repository
    piece = ReleasedStatements("owner/name", commit, "code.py", "Loss.compute", "ratio", "loss")
    given = {"logp": torch.zeros(2), "old": torch.zeros(2)}
    assert piece.load(checkouts, {}).run(steps=1, **given).loss.item() == -2.0
    found = piece.load(checkouts, {}).run(steps=0, **given)
    assert found.loss.item() == -1.0 and not hasattr(found, "after")
    with pytest.raises(KeyError, match="nothing"):
        piece._replace(last="nothing").load(checkouts, {})


def test_assignments_alone_are_run(repository: tuple[Path, str]) -> None:
    checkouts, commit = repository
    piece = ReleasedAssignments("owner/name", commit, "code.py", "Loss.compute", ("ratio", "after"))
    found = piece.load(checkouts, {}).run(logp=torch.zeros(1), old=torch.zeros(1), loss=5)
    assert found.ratio.item() == 1.0 and found.after == 6


def comparison(commit: str, factor: float) -> Comparison:
    """Of a loss with itself times a factor."""

    def compare(code: SimpleNamespace, batch: RandomBatch) -> Pair:
        loss = code.run(logp=batch.logp, old=batch.experience.old_logp, steps=0).loss
        return batch.outcome(loss), batch.outcome(-factor * (batch.logp - batch.experience.old_logp).exp().mean())

    piece = ReleasedStatements("owner/name", commit, "code.py", "Loss.compute", "ratio", "loss")
    return Comparison("one", piece, compare, "a loss")


def test_a_difference_is_seen_and_rounding_is_none(repository: tuple[Path, str]) -> None:
    checkouts, commit = repository
    same, other = (comparison(commit, factor).row(checkouts, range(3)) for factor in (1.0, 1.0 + 1e-8))
    assert same["agrees"] and same["loss"] < 1e-15 and same["greatest"] > 0 and same["batches"] == 3
    assert not other["agrees"] and other["gradient"] == pytest.approx(1e-8, rel=1e-6)


@pytest.mark.parametrize("field", ["loss", "gradient"])
def test_a_difference_of_one_of_the_two_is_enough(repository: tuple[Path, str], field: str) -> None:
    checkouts, commit = repository

    def compare(code: SimpleNamespace, batch: RandomBatch) -> Pair:
        theirs = batch.outcome(batch.logp.sum())
        return theirs, theirs._replace(**{field: getattr(theirs, field) * 1.001})

    piece = Released("owner/name", commit, "code.py", ("doubled",))
    row = Comparison("one", piece, compare, "a loss").row(checkouts, range(2))
    assert not row["agrees"] and row[field] > 0 and row["loss" if field == "gradient" else "gradient"] == 0


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_what_is_no_number_in_one_batch_does_not_agree(repository: tuple[Path, str], broken: int) -> None:
    checkouts, commit = repository

    def compare(code: SimpleNamespace, batch: RandomBatch) -> Pair:
        is_broken = torch.equal(batch.logits, random_batch(broken).logits)
        outcome = batch.outcome(batch.logp.sum() * (float("nan") if is_broken else 1.0))
        return outcome, outcome

    piece = Released("owner/name", commit, "code.py", ("doubled",))
    assert not Comparison("one", piece, compare, "a loss").row(checkouts, range(3))["agrees"]


def test_a_gradient_of_zero_compares_nothing(repository: tuple[Path, str]) -> None:
    checkouts, commit = repository

    def compare(code: SimpleNamespace, batch: RandomBatch) -> Pair:
        nothing = batch.outcome(0.0 * batch.logp.sum())
        return nothing, nothing

    piece = Released("owner/name", commit, "code.py", ("doubled",))
    assert not Comparison("one", piece, compare, "nothing").row(checkouts, range(2))["agrees"]


def test_a_batch_is_that_of_its_seed_and_holds_what_pieces_act_on() -> None:
    one, same, other = random_batch(1), random_batch(1), random_batch(2)
    assert torch.equal(one.logp, same.logp) and not torch.equal(one.logp, other.logp)
    rewards = torch.stack([random_batch(seed).experience.rewards.view(4, 6).mean(1) for seed in range(20)])
    assert (rewards == 0).any() and (rewards == 1).any() and ((rewards > 0) & (rewards < 1)).any()
    ratio = (one.logp - one.experience.old_logp).exp()[one.mask]
    assert (ratio > 1.2).any() and (ratio < 0.8).any() and one.logp.dtype == torch.float64


def test_without_clones_it_says_which_are_wanted(tmp_path: Path) -> None:
    with pytest.raises(Skipped, match="hiyuchang/Trinity-RFT"):
        next(measure(Chosen(checkouts=tmp_path)))


def test_a_repository_that_is_not_there_is_said_with_its_recipes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sail-sg/oat").mkdir(parents=True)
    found = [one.key["recipe"] for one in measure(Chosen(checkouts=tmp_path))]
    assert found == ["dr_grpo"]
    assert "no clone of WujiangXu/EPO" in (said := capsys.readouterr().err) and ": epo not compared with it" in said


@pytest.mark.slow
def test_every_recipe_with_a_piece_after_official_code_is_compared() -> None:
    """`entropy_performance` is two of them at once."""
    names = set(config.choices_of_group("algorithm"))
    after_code = {
        name for name in names if any(text.startswith("official code") for text in fidelities_of_pieces(name).values())
    }
    compared = {each.recipe for each in COMPARISONS}
    assert len(after_code) > 20 and after_code - compared == {"entropy_performance"}
    assert {"perplexity_shaping", "position_shaping"} <= compared
    assert compared <= names | set(SETTINGS.values())


SETTINGS = {
    "diffusion spectral entropy": "(reading) spectral_entropy",
    "dynamic reward weighting, by hypervolume": "(setting) reward.weighting=hypervolume",
    "dynamic reward weighting, by gradients": "(setting) reward.weighting=gradient",
}


def test_what_is_after_official_code_and_no_recipe_is_compared_too() -> None:
    """Layer-wise entropy was read only; MiSS is peft's own code."""
    after_code = {one.name for one in METHODS_ELSEWHERE if one.fidelity.startswith("official code")}
    assert after_code == {*SETTINGS, "layer-wise entropy", "MiSS (Bone)"}
    assert set(SETTINGS.values()) <= {each.recipe for each in COMPARISONS}


def test_what_is_no_recipe_and_has_a_paper_is_of_known_fidelity() -> None:
    """Without a `Fidelity:` it would escape the comparison with its authors' code."""
    unsaid = {one.name for one in METHODS_ELSEWHERE if fidelity_grade(one.fidelity) not in WEAKEST_FIRST}
    assert unsaid == {"TIP with a teacher"}


def test_every_comparison_names_a_whole_commit_and_no_two_are_the_same() -> None:
    keys = [(each.recipe, each.released.repository, each.what) for each in COMPARISONS]
    assert len(keys) == len(set(keys))
    assert all(len(each.released.commit) == 40 for each in COMPARISONS)
