"""What is compared with what: nothing pooled, nothing dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.comparison.conftest import column, made, table, write_run
from tvo_cli.errors import UserError


def test_a_failed_run_counts_as_the_rule_says(arms: Path) -> None:
    folder = write_run(arms, "tvo", 3, None, curve=(0.5, 0.5, 0.5, 0.5))
    (folder / "run.log").write_text("x\n2026 ERROR tvo: stopped by RuntimeError: out of luck\n")
    write_run(arms, "grpo", 3, 0.75)
    seeds = {
        failed: column(table(made(arms, failed=failed), "arms"), "each seed")[1] for failed in ("auto", "0.25", "out")
    }
    assert seeds == {"auto": "80.0 90.0 85.0 0.0×", "0.25": "80.0 90.0 85.0 25.0×", "out": "80.0 90.0 85.0 ·"}
    by_last = made(arms, failed="last", metric="accuracy/fresh")
    assert column(table(by_last, "arms"), "each seed")[1].endswith(" 50.0×")
    assert column(table(made(arms), "arms"), "final (%)")[1].startswith("63.7 ")  # (80 + 90 + 85 + 0)/4
    assert any(
        "1 failed run: tvo-0.001-s3 (4 of 4 steps; stopped by RuntimeError: out of luck)" in n for n in made(arms).notes
    )
    with pytest.raises(UserError, match="--failed=never"):
        made(arms, failed="never")


def test_a_run_still_going_has_no_final_value_and_is_named(arms: Path) -> None:
    write_run(arms, "tvo", 3, None)
    document = made(arms)
    assert column(table(document, "arms"), "each seed")[1] == "80.0 90.0 85.0 …"
    assert column(table(document, "arms"), "unfinished") == ["0", "1"]
    assert any(
        note.startswith("1 unfinished run: tvo-0.001-s3 (4 of 4 steps; still running") for note in document.notes
    )
    assert "provisional: 1 run of TVO not finished, no final value yet" in document.sections[0].verdicts[0].beside


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """One rate is best for seeds 0 and 1, the other for seed 2: what is chosen without a seed differs from it."""
    finals = {1e-4: (0.70, 0.72, 0.60), 1e-3: (0.60, 0.62, 0.90)}
    for rate, row in finals.items():
        for seed, final in enumerate(row):
            write_run(tmp_path, "tvo", seed, final, lr=rate)
            write_run(tmp_path, "grpo", seed, 0.5 + seed / 100, lr=rate)
    return tmp_path


def test_the_best_rate_is_corrected_for_having_been_chosen(swept: Path) -> None:
    # means 0.673 and 0.707: 1e-3, as measured 60 62 90. Choosing by one seed and scoring the two others: seeds 0 and 1
    # choose 1e-4, scored 0.66 and 0.65, seed 2 chooses 1e-3, 0.61; by two: 0, 1 → 1e-4, 0.60; 0, 2 → 1e-3 (0.75 over
    # 0.65), 0.62; 1, 2 → 1e-3, 0.60. Mean of the six 0.62333: 0.08333 is lost, of which at most what two tied rates
    # owe counts, 0.56419 · sd/√3 = 0.56419 · 0.16773/√3 = 0.05463: 0.4 of that, 0.02185, is taken off.
    found = table(made(swept), "arms")
    assert column(found, "each seed")[1] == "60.0 62.0 90.0"
    assert column(found, "rate")[1] == "1e-3" and column(found, "chosen on the same seeds")[1] == "70.7"
    assert column(found, "final (%)")[1].startswith("68.5 ")
    assert "--choose-rate corrected" in found.note
    sentence = made(swept).sections[0].verdicts[0].sentence
    assert sentence.startswith("TVO − GRPO = +17.5 points"), "GRPO's rates tie: nothing to take off"


def test_where_less_is_better_the_correction_raises_it(tmp_path: Path) -> None:
    for rate, row in {1e-4: (0.3, 0.28), 1e-3: (0.4, 0.2)}.items():
        for seed, value in enumerate(row):
            folder = write_run(tmp_path, "grpo", seed, 0.5, lr=rate)
            with (folder / "metrics.jsonl").open("a") as file:
                file.write(f'{{"step": 5, "eval/unanswered": {value}}}\n')
    # 1e-4: 0.29; 1e-3: 0.30. Seed 0 chooses 1e-4, scored 0.28; seed 1 chooses 1e-3, scored 0.40: 0.34, 0.05 is lost;
    # two tied rates owe 0.56419 · 0.01 (sd/√2 of 0.30, 0.28) at most, so + 0.4 · 0.00564 = 0.0023
    found = table(made(tmp_path, metric="eval/unanswered"), "arms")
    assert column(found, "final (%)")[0].startswith("29.2 ")


def test_runs_of_unknown_seeds_are_corrected_in_their_order(tmp_path: Path) -> None:
    for rate, row in {1e-4: (0.9, 0.3), 1e-3: (0.1, 0.8)}.items():
        for number, value in enumerate(row):
            folder = write_run(tmp_path, "grpo", 0, value, lr=rate, name=f"{rate:g}-{'ab'[number]}")
            text = (folder / "config.yaml").read_text()
            (folder / "config.yaml").write_text(text.replace('"seed": 0, ', ""))
    # the numbers of tests/stats/test_rate_selection.py: 0.6, less 0.4 · 0.56419 · 0.3 = 0.0677
    assert column(table(made(tmp_path), "arms"), "final (%)")[0].startswith("53.2 ")


@pytest.mark.parametrize(
    ("way", "seeds"), [("same", "60.0 62.0 90.0"), ("half", "72.0 60.0"), ("leave-one-out", "60.0 62.0 60.0")]
)
def test_other_ways_to_choose_a_rate(swept: Path, way: str, seeds: str) -> None:
    # half: seed 0 alone chooses 1e-4 (0.70 against 0.60); seeds 1 and 2 are scored there
    # without seed 0: 1e-4 → 0.66, 1e-3 → 0.76; without 1: 0.65, 0.75; without 2: 0.71, 0.61
    assert column(table(made(swept, way=way), "arms"), "each seed")[1] == seeds
    with pytest.raises(UserError, match="--choose-rate"):
        made(swept, way="best")


def test_where_less_is_better_the_lowest_is_best_and_a_failure_the_highest(tmp_path: Path) -> None:
    for rate, shift in ((1e-4, 0.1), (1e-3, 0.3)):
        for algorithm in ("tvo", "grpo"):
            for seed in range(2):
                folder = write_run(tmp_path, algorithm, seed, 0.5, lr=rate)
                with (folder / "metrics.jsonl").open("a") as file:
                    file.write('{"step": 5, "eval/unanswered": %g}\n' % (shift + seed / 10))
    for path in (folder / "summary.json", folder / "metrics.jsonl"):  # of grpo, seed 1, the greater rate
        path.unlink()
    (folder / "state.json").write_text('{"state": "failed"}')
    document = made(tmp_path, metric="eval/unanswered")
    found = table(document, "arms")
    assert column(found, "each seed") == ["10.0 20.0", "10.0 20.0"] and column(found, "rate") == ["1e-4", "1e-4"]
    assert column(found, "best (%)")[0].startswith("15.0 "), "its own reading, not an accuracy's"
    worst = table(document, "robustness")
    assert column(worst, "worst run") == ["100.0", "40.0"] and column(worst, "worst rate") == ["1e-3", "1e-3"]


def test_shared_rates_are_compared_one_by_one(swept: Path) -> None:
    [section] = made(swept).sections
    found = {rate: verdicts[0].sentence for rate, verdicts in section.at_rates}
    assert found[1e-4].startswith("TVO − GRPO = +16.3 points") and found[1e-3].startswith("TVO − GRPO = +19.7 points")
    assert "Holm over 2" in found[1e-3] and len(section.at_rates) == 2


def test_robustness_is_the_area_over_log_rate(swept: Path) -> None:
    found = table(made(swept), "robustness")
    # two rates: the area is the mean of both: seeds 65, 67, 75
    assert column(found, "area")[1].startswith("69.0 ") and column(found, "worst rate's mean")[1] == "67.3"
    assert column(found, "worst rate")[1] == "1e-4" and column(found, "worst run")[1] == "60.0"


def test_runs_that_differ_in_a_setting_are_compared_apart(arms: Path) -> None:
    for algorithm in ("tvo", "grpo"):
        for seed in range(2):
            write_run(arms / "more", algorithm, seed, 0.2, settings={"rollout.epochs": 2})
    for folder in arms.glob("*-s*"):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace('"evaluation"', '"rollout": {"epochs": 4}, "evaluation"'))
    document = made(arms)
    assert [section.label for section in document.sections] == ["rollout.epochs=4", "rollout.epochs=2"]
    assert column(table(document, "arms"), "runs") == ["3", "3"]
    assert any("differ in rollout.epochs: compared apart, never pooled" in note for note in document.notes)


def test_how_a_run_is_evaluated_tells_no_training_metrics_apart(arms: Path) -> None:
    for algorithm in ("tvo", "grpo"):
        write_run(arms, algorithm, 3, 0.2, settings={"evaluation.problems": 64})
    assert [section.label for section in made(arms).sections] == ["evaluation.problems=8", "evaluation.problems=64"]
    fresh = made(arms, metric="accuracy/fresh")
    assert [section.label for section in fresh.sections] == [""] and column(table(fresh, "arms"), "runs") == ["4", "4"]


def test_variants_of_an_algorithm_are_arms_of_their_own(arms: Path) -> None:
    for seed in range(2):
        write_run(arms, "tvo", seed, 0.5, settings={"algorithm.gain": 2}, name=f"variant-{seed}")
    for folder in arms.glob("tvo-*"):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace('"name": "tvo"', '"name": "tvo", "gain": 1'))
    write_config_name(arms)
    assert column(table(made(arms), "arms"), "arm") == ["grpo", "tvo", "tvo (algorithm.gain=2)"]


def write_config_name(root: Path) -> None:
    for folder in root.glob("variant-*"):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace('{"name": "tvo"}', '{"name": "tvo", "gain": 2}'))


def test_one_name_in_two_places_makes_two_arms(tmp_path: Path) -> None:
    for place, shift in (("before", 0.0), ("after", 0.1)):
        for seed in range(3):
            write_run(tmp_path / place, "tvo", seed, 0.5 + shift + seed / 50)
    document = made(tmp_path / "before", tmp_path / "after")
    assert column(table(document, "arms"), "arm") == ["tvo, after", "tvo, before"]
    assert any("more than one of the given paths" in note for note in document.notes)


def test_a_seed_run_twice_counts_once_and_is_named(arms: Path) -> None:
    write_run(arms, "tvo", 1, None, name="first-try")
    document = made(arms)
    assert column(table(document, "arms"), "each seed")[1] == "80.0 90.0 85.0"
    assert any("tvo at lr 1e-3, seed 1: tvo-0.001-s1 counts, not first-try" in note for note in document.notes)


def test_what_differs_beyond_the_intended_is_a_warning(arms: Path) -> None:
    assert made(arms).sections[0].warnings == ()
    for folder in arms.glob("tvo-*"):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace('"optimizer": {', '"optimizer": {"clip_norm": 5, '))
    [warning] = made(arms).sections[0].warnings
    assert warning.startswith("The arms differ in more than was asked for: optimizer.clip_norm (— | 5).")
    assert made(arms, by=("algorithm", "optimizer.clip_norm")).sections[0].warnings == ()


def test_rates_of_their_own_are_said(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path, "tvo", seed, 0.8, lr=1e-3)
        write_run(tmp_path, "grpo", seed, 0.7, lr=1e-4)
    [warning] = made(tmp_path).sections[0].warnings
    assert "learning rate of its own (grpo 1e-4, tvo 1e-3)" in warning


def test_arms_by_several_settings(arms: Path) -> None:
    found = table(made(arms, by=("algorithm", "optimizer.lr")), "arms")
    assert column(found, "arm") == ["grpo, lr=0.001", "tvo, lr=0.001"]


def test_results_of_different_protocols_are_refused_unless_forced(arms: Path) -> None:
    for folder in arms.glob("tvo-*"):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace('"temperature": 1.0', '"temperature": 0.6'))
    with pytest.raises(UserError, match=r"evaluation\.temperature=grpo 1; tvo 0\.6: .*different evaluation protocols"):
        made(arms)
    warnings = made(arms, force=True).sections[0].warnings
    assert any(warning.startswith("Forced: the arms were evaluated in different ways") for warning in warnings)


def test_shaping_of_the_reward_is_no_protocol_of_pass_at_1(tmp_path: Path) -> None:
    for seed in range(2):  # what conf/algorithm/dapo.yaml brings
        write_run(tmp_path, "dapo", seed, 0.6 + seed / 20, settings={"reward.length.weight": 1.0, "reward.format": 0.1})
        write_run(tmp_path, "grpo", seed, 0.5 + seed / 10, settings={"reward.length.weight": 0.0, "reward.format": 0.0})
    assert made(tmp_path).sections[0].verdicts[0].sentence.startswith("DAPO − GRPO = +7.5 points")
    with pytest.raises(UserError, match="different evaluation protocols"):
        made(tmp_path, metric="reward/mean")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": ("algoritm",)}, r"--by=algoritm: no run has such a setting\. Nearest: algorithm"),
        ({"baseline": "gpro"}, r"--baseline=gpro: there is no such arm\. Nearest: grpo"),
        ({"metric": "eval/pas"}, r"--metric=eval/pas: no run has such a metric\. Nearest: eval/pass@1"),
        ({"confidence": 1.0}, r"--confidence"),
    ],
)
def test_a_wrong_option_is_named(arms: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(arms, **options)


@pytest.mark.parametrize("written", ["0.0010000000000000002", "0.0010000000474974513", '"1e-3"', '"0.001"'])
def test_a_rate_is_one_whatever_its_last_digit_and_type(swept: Path, written: str) -> None:
    before = made(swept)
    for name in ("grpo-0.001-s1", "tvo-0.001-s0"):
        path = swept / name / "config.yaml"
        path.write_text(path.read_text().replace('"lr": 0.001', f'"lr": {written}'))
    after = made(swept)
    assert [one.sentence for one in after.sections[0].verdicts] == [one.sentence for one in before.sections[0].verdicts]
    for name in ("rates", "robustness", "settings"):
        found, expected = ([[cell.text for cell in row] for row in table(one, name).rows] for one in (after, before))
        assert found == expected
    assert after.sections[0].warnings == before.sections[0].warnings and after.notes == before.notes


def test_other_numbers_written_as_text_split_no_arm(arms: Path) -> None:
    for number, folder in enumerate(sorted(arms.glob("*-s*"))):
        value = ("0.1", '"1e-1"', "0.1000000001")[number % 3]
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(
            text.replace('"evaluation"', f'"rollout": {{"top_p": {value}}}, "evaluation"')
        )
    assert column(table(made(arms), "arms"), "runs") == ["3", "3"]


@pytest.mark.parametrize("written", ['"fast"', "null", "true", "-0.001", ".nan"])
def test_a_run_of_no_known_rate_is_named_at_the_top(swept: Path, written: str) -> None:
    path = swept / "grpo-0.001-s1" / "config.yaml"
    path.write_text(path.read_text().replace('"lr": 0.001', f'"lr": {written}'))
    [section] = made(swept).sections
    assert any("no learning rate is known of 1 run (grpo-0.001-s1)".lower() in one.lower() for one in section.warnings)
    assert "not in the area: seed 1 of GRPO, which has no result at 1e-3" in section.robust


def test_a_nan_that_moves_the_comparison_is_said_at_the_top(arms: Path) -> None:
    path = arms / "tvo-0.001-s1" / "metrics.jsonl"
    path.write_text(path.read_text().replace('"eval/pass@1": 0.9', '"eval/pass@1": NaN'))
    [section] = made(arms).sections
    said = "1 finished run without a finite eval/pass@1 (tvo-0.001-s1)"
    assert section.warnings[0] == f"Compared by accuracy/fresh: {said}."
    [section] = made(arms, metric="eval/pass@1").sections
    assert section.warnings[0] == f"{said}: they count as failed in it."


def test_a_run_without_a_step_is_unfinished_and_no_finished_one_that_failed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("step,reward\n")
    document = made(tmp_path / "a.csv", tmp_path / "b.csv")
    assert not [one for section in document.sections for one in section.warnings if "finished run" in one]


def test_an_arm_without_a_rate_is_named_beside_the_area(swept: Path) -> None:
    for seed in range(3):
        write_run(swept, "ppo", seed, 0.4, lr=1e-4)
        write_run(swept, "grpo", seed, 0.4, lr=1e-2)
    for seed in range(2):
        write_run(swept, "tvo", seed, 0.4, lr=1e-2)
    robust = made(swept).sections[0].robust
    assert "not in the area: PPO, which has no result at 1e-3, 1e-2" in robust
    assert "not in the area: seed 2 of TVO, which has no result at 1e-2" in robust
