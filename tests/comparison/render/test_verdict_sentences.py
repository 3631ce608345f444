"""The words and their numbers, worked by hand."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from tests.comparison.conftest import made, write_run
from tvo_cli.comparison import formatting
from tvo_cli.comparison.render.document import ReportDocument


def said(document: ReportDocument) -> list[str]:
    [section] = document.sections
    return [verdict.sentence for verdict in section.verdicts]


def test_the_paired_difference_is_the_one_worked_by_hand(arms: Path) -> None:
    # d = 10, 15, 5 points: mean 10, sd 5, reach 4.3027 · 5/√3 = 12.42; t = 3.464, p = 0.074
    [sentence] = said(made(arms))
    assert sentence.startswith(
        "TVO − GRPO = +10.0 points, 95% CI [−2.4, +22.4], 3 paired seeds: not separated (p = 0.074)"
    )
    assert sentence.endswith("about 5 seeds would be needed")


def test_the_other_arm_can_be_the_baseline_and_confidence_chosen(arms: Path) -> None:
    # reach at 90%: 2.9200 · 5/√3 = 8.43
    [sentence] = said(made(arms, baseline="tvo", confidence=0.9))
    assert sentence.startswith("GRPO − TVO = −10.0 points, 90% CI [−18.4, −1.6], 3 paired seeds: separated (p = 0.074)")


def test_seeds_that_are_not_shared_are_compared_unpaired(tmp_path: Path) -> None:
    for seed, final in enumerate((0.80, 0.90, 0.85)):
        write_run(tmp_path, "tvo", seed, final)
    for seed, final in enumerate((0.70, 0.75, 0.80)):
        write_run(tmp_path, "grpo", 10 + seed, final)
    # both variances 0.05², s = √(2·0.05²/3) = 0.0408, ν = 4, 2.7764 · 4.08 = 11.3
    [sentence] = said(made(tmp_path))
    assert sentence.startswith("TVO − GRPO = +10.0 points, 95% CI [−1.3, +21.3], 3 seeds against 3, unpaired:")


def test_a_seed_without_a_partner_is_named_with_its_value(arms: Path) -> None:
    write_run(arms, "tvo", 7, 0.16, collapsed_at=3)
    [verdict] = made(arms).sections[0].verdicts
    assert "3 paired seeds" in verdict.sentence
    assert "1 seed of TVO without a partner, not in the difference (seed 7: 16.0, collapsed)" in verdict.beside
    assert any("TVO 1 of 4 [5, 70]%, GRPO 0 of 3 [0, 56]%" in line for line in verdict.beside)


def test_a_difference_alone_significant_is_not_separated_among_many(arms: Path) -> None:
    for name, shift in (("a", 0.06), ("b", 0.001), ("c", -0.001)):
        for seed, (base, noise) in enumerate(((0.70, 0.0), (0.75, 0.02), (0.80, -0.02))):
            write_run(arms, name, seed, base + shift + noise)
    sentences = said(made(arms))
    [a] = [sentence for sentence in sentences if sentence.startswith("a −")]
    # d = 6, 8, 4: mean 6, sd 2, t = 5.196, p = 0.0351; Holm over 4: 0.140
    assert "not separated (p = 0.14, Holm over 4); alone it would be (p = 0.035)" in a
    # δ/σ = 3: four pairs have 80% power at 0.05, at 0.05/4 it takes five
    assert a.endswith("about 5 seeds would be needed")


def test_one_seed_says_that_it_says_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, "tvo", 0, 0.8)
    write_run(tmp_path, "grpo", 0, 0.7)
    [sentence] = said(made(tmp_path))
    assert sentence.startswith("TVO − GRPO = +10.0 points (no interval)") and "one seed has no spread" in sentence


def test_equal_values_are_no_certainty(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path, "tvo", seed, 0.8)
        write_run(tmp_path, "grpo", seed, 0.7)
    [sentence] = said(made(tmp_path))  # three pairs of one sign: 1 of 4 relabelings
    assert "not separated; no spread between seeds, p = 0.25 is the least these seeds can give" in sentence


def test_no_difference_at_all(tmp_path: Path) -> None:
    for seed, final in enumerate((0.7, 0.8)):
        write_run(tmp_path, "tvo", seed, final)
        write_run(tmp_path, "grpo", seed, final)
    [sentence] = said(made(tmp_path))
    assert "= +0.0 points" in sentence and "no number of seeds can be named" in sentence


def test_a_metric_that_is_no_share_has_no_points(tmp_path: Path) -> None:
    for seed, shift in enumerate((0.0, 0.1, 0.2)):
        write_run(tmp_path, "tvo", seed, 0.5, curve=[2.0 + shift] * 5)
        write_run(tmp_path, "grpo", seed, 0.5, curve=[1.0 + shift * 1.1] * 5)
    [sentence] = said(made(tmp_path, metric="reward/mean"))
    # d = 1, 0.99, 0.98: mean 0.99, reach 4.3027 · 0.01/√3 = 0.0248
    assert sentence.startswith("TVO − GRPO = +0.990, 95% CI [+0.965, +1.015]")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0003, "3e-4"), (1e-3, "1e-3"), (2.5e-5, "2.5e-5"), (1.0, "1e0"), (None, "—")],
)
def test_a_rate_reads_as_it_is_typed(value: float | None, shown: str) -> None:
    assert formatting.format_rate(value) == shown


def test_numbers_are_for_readers() -> None:
    assert (
        formatting.format_signed(-0.04, 1) == "+0.0"
        and formatting.format_signed(-2.06, 1) == "−2.1"
        and formatting.format_signed(math.nan, 1) == "—"
    )
    assert (
        formatting.format_number(53775) == "53,775"
        and formatting.format_number(5.3e-05, 2) == "5.3e−5"
        and formatting.format_number(math.inf) == "∞"
    )
    assert (
        formatting.format_span(-0.1, 1.2, True) == "[0.0, 100.0]" and formatting.format_span(math.nan, 1.0, True) == ""
    )
    assert (
        formatting.arm_title("grpo_shrunk_cv") == "GRPO shrunk CV" and formatting.arm_title("reinforce") == "REINFORCE"
    )
    assert formatting.join_names(["a", "b", "c"], 2) == "a, b and 1 more"


def test_where_few_seeds_are_shared_all_runs_are_compared_and_it_is_said(tmp_path: Path) -> None:
    for seed in range(10):
        write_run(tmp_path, "tvo", seed, 0.8 + seed % 5 / 50)
        write_run(tmp_path, "grpo", seed + 8, 0.6 + seed % 5 / 50)
    verdict = made(tmp_path).sections[0].verdicts[0]
    assert "10 seeds against 10, unpaired: separated" in verdict.sentence
    assert verdict.contrast.over_seeds.method == "Welch t" and verdict.contrast.over_seeds.n == 10
    assert verdict.beside == ("2 seeds are in both arms, fewer than half of an arm's: not paired, all runs compared",)


@pytest.mark.parametrize(("more", "paired"), [(1, True), (2, True), (3, False)])
def test_half_of_the_larger_arm_s_seeds_are_enough_to_pair(arms: Path, more: int, paired: bool) -> None:
    shutil.rmtree(arms / "grpo-0.001-s2")
    for seed in range(3, 3 + more - 1):
        write_run(arms, "tvo", seed, 0.7)
    assert made(arms).sections[0].verdicts[0].contrast.paired is paired
