"""docs/algorithms.md is what the command makes of yamls and docstrings; each names what it was written after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tvo_cli import config
from tvo_cli.cli import algorithm_descriptions
from tvo_cli.cli.listing import NO_RECIPES
from tvo_cli.cli.main import app, main
from tvo_cli.cli.methods_elsewhere import METHODS_ELSEWHERE
from tvo_cli.config import target_signatures

ROOT = Path(__file__).parent.parent.parent
runner = CliRunner()


def test_the_page_is_fresh() -> None:
    made = runner.invoke(app, ["list", "algorithms", "--page"]).output
    assert (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8") == made, "run `make docs`"


def test_the_page_has_every_algorithm_twice() -> None:
    page = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")
    for name in config.choices_of_group("algorithm"):
        assert f"\n| `{name}` |" in page and f"\n- `{name}`: " in page


@pytest.mark.parametrize("name", config.choices_of_group("algorithm"))
def test_every_algorithm_says_what_it_was_written_after(name: str) -> None:
    grade = algorithm_descriptions.fidelity_grade(algorithm_descriptions.algorithm_fidelity(name))
    known = {"official code", "paper", "notes"} | {f"as {other}" for other in config.choices_of_group("algorithm")}
    assert grade in known


def test_the_list_shows_it() -> None:
    lines = runner.invoke(app, ["list", "algorithms", "--markdown"]).output.splitlines()
    assert lines[0].rstrip(" |").endswith("fidelity")
    [siren] = [line for line in lines if line.startswith("| siren |")]
    [macro] = [line for line in lines if line.startswith(r"| tvo\_macro |")]
    assert siren.endswith("| official code |") and macro.endswith("| as tvo\\_2025 |")


def test_what_is_no_recipe_is_listed_behind_them_with_its_fidelity() -> None:
    said = runner.invoke(app, ["list", "algorithms"]).output.partition(f"\n{NO_RECIPES}\n")[2]
    flat = " ".join(said.split())
    assert "Lion optimizer=lion. arXiv:2302.06675, arXiv:2310.05898, paper." in flat
    assert "by gradients reward.weighting=gradient. arXiv:2509.11452, official code." in flat
    assert "TIP with a teacher no teacher can be given." in flat, "why, where no setting is"
    table = runner.invoke(app, ["list", "algorithms", "--markdown"]).output.partition(f"\n{NO_RECIPES}\n")[2]
    assert "\n| method | setting | paper | fidelity |\n" in table and table.count("\n| ") == 2 + len(METHODS_ELSEWHERE)
    assert NO_RECIPES not in runner.invoke(app, ["list", "models"]).output


def test_the_weakest_counts_and_a_docstring_is_found_through_a_package() -> None:
    assert algorithm_descriptions.algorithm_fidelity("grpo_target_entropy").startswith("notes"), (
        "the controller's, not the bonus's"
    )
    assert "Spinning Up" in target_signatures.target_docstring("tvo_cli.optim.EarlyStop")
    assert (
        target_signatures.target_docstring("tvo_cli.optim.Nothing")
        == target_signatures.target_docstring("tvo_cli.nowhere.Nothing")
        == ""
    )


def test_every_piece_of_a_method_is_named_and_of_its_parts_the_methods_own_alone() -> None:
    ettrl = algorithm_descriptions.fidelities_of_pieces("ettrl")
    assert list(ettrl) == ["relative_confidence", "majority_vote", "EntropyForks"], "the weakest first"
    assert list(algorithm_descriptions.fidelities_of_pieces("light_if")) == ["light_if"], "not its base's estimator"
    page = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if line.startswith("- `ettrl`: ")]
    assert line == f"- `ettrl`: {ettrl['relative_confidence']}" + "".join(
        f" `{piece}`: {ettrl[piece]}" for piece in ("majority_vote", "EntropyForks")
    )


def test_only_the_algorithms_have_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "models", "--page"]) == 2
    assert "algorithms only" in capsys.readouterr().err


@pytest.mark.slow
def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys; from tvo_cli.cli.main import main; main(['list', 'algorithms']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
