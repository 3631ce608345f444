"""Reading a run back: loading, the figure, the closing card."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest

from tvo_cli.config import overrides
from tvo_cli.errors import UserError
from tvo_cli.report import figure_and_card, next_commands, run_card, run_folder_reading, run_plot
from tvo_cli.tracking.atomic_files import write_json_atomically
from tvo_cli.tracking.metrics_file import MetricsFile

Make = Callable[..., Path]


def test_a_run_is_read_back(make_run: Make) -> None:
    run = run_folder_reading.load_run(make_run())
    assert run.algorithm == "tvo" and run.finished and len(run.steps) == 6 and len(run.evaluations) == 2
    assert run.curve("reward/mean") == ([1, 2, 3, 4, 5, 6], [0.125, 0.25, 0.375, 0.5, 0.625, 0.75])
    assert run.curve("eval/pass@1", evaluations=True) == ([0, 6], [0.25, 0.75])
    assert run.curve("eval/pass@1") == ([], [])


def test_the_last_value_is_the_last_finite_one(make_run: Make) -> None:
    folder = make_run()
    MetricsFile(folder / "metrics.jsonl").append(7, {"reward/mean": math.nan})
    run = run_folder_reading.load_run(folder)
    assert run.last("reward/mean") == 0.75 and run.last("nothing") is None


def test_a_run_that_goes_on_can_be_read(make_run: Make) -> None:
    folder = make_run(summary={})
    (folder / "collapse.json").unlink()
    run = run_folder_reading.load_run(folder)
    assert not run.finished and run.summary == {} and run.collapse == {}
    assert "not watched" in run_card.card_text(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, make_run: Make) -> None:
    with pytest.raises(UserError, match="is not a run folder"):
        run_folder_reading.load_run(tmp_path)
    folder = make_run()
    (folder / "summary.json").write_text("{broken")
    with pytest.raises(UserError, match=r"summary\.json: is not JSON"):
        run_folder_reading.load_run(folder)


def test_the_figure_has_its_four_panels_and_its_marks(make_run: Make) -> None:
    folder = make_run(collapsed=True)
    svg, png = run_plot.draw_run_figure(run_folder_reading.load_run(folder))
    assert (svg, png) == (folder / "figures" / "run.svg", folder / "figures" / "run.png")
    text = svg.read_text()
    for wanted in ("reward and accuracy", "entropy (nats)", "gradient (log scale)", "binary TV and viscosity"):
        assert wanted in text
    for wanted in ("held out", "viscosity ν (right)", "aimed at", "entropy_floor", "tvo · tiny · addition · seed 3"):
        assert wanted in text
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_no_rule_no_mark_and_no_viscosity_no_axis(make_run: Make) -> None:
    folder = make_run(algorithm="grpo")
    path = folder / "metrics.jsonl"
    path.write_text(path.read_text().replace("thermo/viscosity", "thermo/other"))
    text = run_plot.draw_run_figure(run_folder_reading.load_run(folder))[0].read_text()
    assert "entropy_floor" not in text and "viscosity ν" not in text and "TV of the step" in text


@pytest.mark.slow
def test_the_same_run_is_the_same_picture(make_run: Make) -> None:
    drawn = [
        run_plot.draw_run_figure(run_folder_reading.load_run(make_run(name)))[0].read_bytes() for name in ("a", "b")
    ]
    assert drawn[0] == drawn[1]


RULES = ["tv_ceiling", "kl_ceiling", "reward_drop", "accuracy_drop", "entropy_floor", "length_drift"]


def test_no_word_of_the_figure_lies_on_another(make_run: Make) -> None:
    """Six rules at four steps, three of them the same step."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    folder = make_run(collapsed=True)
    severe = ("reward_drop", "accuracy_drop", "entropy_floor")
    firings = [
        {"rule": rule, "step": step, "severity": "collapse" if rule in severe else "warning"}
        for rule, step in zip(RULES, [2, 3, 4, 4, 4, 6], strict=True)
    ]
    write_json_atomically(folder / "collapse.json", {"verdict": "collapsed", "collapsed_at": 4, "firings": firings})
    figure = run_plot._run_figure(run_folder_reading.load_run(folder))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    words = [one for one in figure.findobj(Text) if one.get_text() and one.get_visible()]
    shown = [one for one in words if any(rule in one.get_text() for rule in RULES)]
    assert [one.get_text() for one in shown] == [
        "warning at step 2: tv_ceiling",
        "warning at step 3: kl_ceiling",
        "collapse at step 4: reward_drop, accuracy_drop, entropy_floor",
        "warning at step 6: length_drift",
    ]
    boxes = [one.get_window_extent() for one in words]
    assert all(not one.overlaps(boxes[j]) for i, one in enumerate(boxes) if words[i] in shown for j in range(i))
    assert all(figure.bbox.contains(*corner) for one in shown for corner in one.get_window_extent().corners())


def test_what_a_log_axis_cannot_show_is_a_gap_and_a_mark(make_run: Make) -> None:
    folder = make_run()
    for step, value in ((7, 0.0), (8, -1e-3), (9, 1e-3)):
        MetricsFile(folder / "metrics.jsonl").append(step, {"gradient/variance": value, "gradient/norm": 1.0})
    variance = run_plot._run_figure(run_folder_reading.load_run(folder)).axes[2]
    assert variance.get_yscale() == "log" and variance.yaxis.get_transform()._clip is False
    [mark] = [line for line in variance.lines if line.get_label() == "0 or less"]
    assert list(mark.get_xdata()) == [7, 8]
    points = [line for line in variance.lines if line.get_linestyle() == "None" and line is not mark]
    assert [list(line.get_xdata()) for line in points] == [[9], []]  # a line would not show the value after the gap


def test_a_legend_covers_neither_a_curve_nor_a_mark(make_run: Make) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = run_plot._run_figure(run_folder_reading.load_run(make_run(collapsed=True)))
    FigureCanvasAgg(figure).draw()
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend() is not None]
    assert len(legends) == 4
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert not [
        box
        for legend in legends
        for box in boxes
        if legend.get_window_extent().y0 < box.y1 - 1 and legend.get_window_extent().overlaps(box)
    ]


@pytest.mark.slow
def test_a_run_of_nothing_finite_is_drawn(make_run: Make) -> None:
    folder = make_run(steps=0)
    assert run_plot.draw_run_figure(run_folder_reading.load_run(folder)) == []
    file = MetricsFile(folder / "metrics.jsonl")
    for value in (math.nan, math.inf, -1.0):
        file.append(1, {"gradient/variance": value, "reward/mean": value, "thermo/viscosity": math.nan})
    assert len(run_plot.draw_run_figure(run_folder_reading.load_run(folder))) == 2


def test_the_card_says_what_happened(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run()
    policy = folder / "checkpoints" / "step-000006" / "policy"
    policy.mkdir(parents=True)
    (folder / "checkpoints" / "step-000009").mkdir()  # torn: no policy inside
    monkeypatch.chdir(folder.parent)
    text = " ".join(run_card.card_text(run_folder_reading.load_run(folder)).split())
    for wanted in (
        "tvo · tiny · addition · seed 3",
        "6 steps, 3,840 rollouts, 2:05; accuracy on fresh rollouts 0.100 → 0.600",
        "healthy: no rule fired",
        "pass@1 0.750 [0.700, 0.800] on held-out problems (90% interval); before training 0.250 [0.200, 0.300]",
        "could not judge 1 responses",
        "tvo eval model.path=run/checkpoints/step-000006/policy evaluation=heldout",
        "tvo train algorithm=grpo dataset=addition seed=3",
    ):
        assert wanted in text, text


@pytest.mark.parametrize(("taken", "said"), [(0.0, "all 6 updates were skipped, so nothing"), (1.0, "6 updates were")])
def test_a_run_that_skipped_updates_is_not_called_healthy_alone(make_run: Make, taken: float, said: str) -> None:
    folder = make_run(summary={"steps": 6, "rollouts": 6, "seconds": 1.0, "skipped_updates": 6})
    rows = [json.loads(line) | {"optimizer/steps": taken} for line in (folder / "metrics.jsonl").open()]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = " ".join(run_card.card_text(run_folder_reading.load_run(folder)).split())
    assert "healthy by its rules, but updates were skipped" in text and f"⚠ {said}" in text


def test_the_card_says_what_broke(make_run: Make) -> None:
    text = run_card.card_text(run_folder_reading.load_run(make_run(collapsed=True, steps=5, algorithm="grpo")))
    assert "collapsed at step 4" in text and "entropy_floor fired first at step 4 (0.012 against 0.050)" in text
    assert "5 of 6 steps" in text and "no rule fired" not in text and "tvo train algorithm=tvo" in text


@pytest.mark.parametrize(
    ("refusals", "shown"),
    [
        ([], "no update refused"),
        ([{"step": 3}], "1 update refused, up to step 3; 2 batches left no trace"),
        ([{"step": 3}, {"step": 5}], "2 times updates refused, up to step 3, 5; 2 batches left no trace"),
    ],
)
def test_the_card_names_refused_updates(make_run: Make, refusals: list[dict[str, int]], shown: str) -> None:
    found = run_folder_reading.load_run(make_run())
    collapse = {**found.collapse, "refusals": refusals, "batches_lost": 2}
    assert shown in run_card.card_text(replace(found, collapse=collapse))


COMMAND = """tvo train --config-dir 'my conf' algorithm=tvo model=custom 'model.path=my model' dataset=jsonl \\
dataset.path=ok.jsonl 'dataset.suffix='"'"'one two'"'"'' algorithm.estimator.x=1 resume=must output_dir='a b' seed=1 \\
logger.api_key=*** 'reward={x: a.py:f, key: ***}' '~rollout.stop' --debug"""


EVALUATE = ["tvo", "eval", "--config-dir", "my conf", "model=custom"]
EVALUATE += ["model.path='a b/checkpoints/step-000006/policy'", "evaluation=heldout"]
EXPORT = ["tvo", "export", "a b", "a b-policy"]
RIVAL = ["tvo", "train", "--config-dir", "my conf", "algorithm=grpo", "model=custom", "model.path=my model"]
RIVAL += ["dataset=jsonl", "dataset.path=ok.jsonl", "dataset.suffix='one two'", "seed=1"]
RIVAL += ["reward={x: a.py:f, key: ***}", "~rollout.stop"]
RIVAL += ["output_dir='a b-grpo'"]


def recorded(folder: Path, *steps: int) -> Path:
    for step in steps:
        (folder / "recorder" / f"step-{step:06d}").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("kept", "offered"), [((2, 4, 6), "4"), ((2, 6), ""), ((), "")], ids=["of the collapse", "of others", "none"]
)
def test_after_a_collapse_its_recorded_step_is_offered_first(
    make_run: Make, monkeypatch: pytest.MonkeyPatch, kept: tuple[int, ...], offered: str
) -> None:
    folder = recorded(make_run(collapsed=True), *kept)
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(run_plot, "draw_run_figure", lambda run: [])
    [first, *_] = next_commands.next_commands(run_folder_reading.load_run(folder), None)
    assert (" ".join(first) == f"tvo replay run --step {offered}") == bool(offered)
    figure_and_card.write_figure_and_card(folder)
    told = json.loads((folder / "summary.json").read_text())
    assert told["steps"] == 6 and any(line.startswith("tvo replay") for line in told["next"]) == bool(offered)
    assert (f"tvo replay run --step {offered}" in (folder / "card.txt").read_text()) == bool(offered)


@pytest.mark.parametrize(
    ("stored", "step", "shown"),
    [
        ((2, 6), 3, "step-000002/policy  (the last healthy one)"),
        ((6,), 3, "last healthy policy, that of step 3, was not saved"),
        ((6,), 0, "the last healthy policy is the start: model.path="),
    ],
)
def test_the_card_names_the_last_healthy_policy(make_run: Make, stored: tuple[int, ...], step: int, shown: str) -> None:
    folder = make_run(collapsed=True)
    for at in stored:
        (folder / "checkpoints" / f"step-{at:06d}" / "policy").mkdir(parents=True)
    told = json.loads((folder / "collapse.json").read_text()) | {"last_healthy_policy": step}
    write_json_atomically(folder / "collapse.json", told)
    text = run_card.card_text(run_folder_reading.load_run(folder))
    assert shown in text and "checkpoints/step-000006/policy" in text


def test_a_figure_that_the_mirrors_were_shown_is_not_drawn_again(
    make_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, drawn = make_run(), list[object]()
    monkeypatch.setattr(run_plot, "draw_run_figure", drawn.append)
    figure_and_card.write_figure_and_card(folder)
    assert len(drawn) == 1
    (folder / "figures").mkdir()
    (folder / "figures" / "run.svg").write_text("<svg/>")
    later = (folder / "summary.json").stat().st_mtime_ns + 10**9
    os.utime(folder / "figures" / "run.svg", ns=(later, later))
    figure_and_card.write_figure_and_card(folder)
    assert len(drawn) == 1


def test_the_next_commands_are_the_runs_own(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run("a b")
    monkeypatch.chdir(folder.parent)
    (folder / "command.txt").write_text(COMMAND.replace("\\\n", "") + "\n")
    (folder / "checkpoints/step-000006/policy").mkdir(parents=True)
    (folder / "checkpoints/step-000006/policy/config.json").write_text("{}")
    for width in (100, 80, 40):
        shown = run_card.card_text(run_folder_reading.load_run(Path("a b")), width)
        assert all(len(line) <= max(width, 60) for line in shown.splitlines() if "policy" not in line)
        typed = shown[shown.index("tvo eval") :].replace("\\\n", " ").strip().splitlines()
        assert [shlex.split(line) for line in typed] == [EVALUATE, EXPORT, RIVAL]
    (folder / "checkpoints/step-000006/policy/config.json").rename(folder / "adapter_config.json")
    assert "tvo export 'a b' 'a b-policy' --merge\n" in run_card.card_text(run_folder_reading.load_run(Path("a b")))


@pytest.mark.parametrize(
    "program",
    ["torchrun --standalone --nproc-per-node 2 -m tvo_cli", "srun tvo", "tvo"],
    ids=["torchrun", "srun", "tvo"],
)
def test_a_run_of_several_processes_is_followed_by_one_of_as_many(make_run: Make, program: str) -> None:
    folder = make_run()
    (folder / "command.txt").write_text(f"{program} train parallel=replicate seed=1\n")
    words = next_commands.next_training_command(run_folder_reading.load_run(folder))
    assert words == [*program.split(), "train", "algorithm=grpo", "parallel=replicate", "seed=1"]


def test_a_rival_is_given_no_data_of_the_algorithms_own(make_run: Make) -> None:
    """A data set that was put inside the algorithm's node; that of the run stays."""
    folder = make_run()
    own = "'+dataset@algorithm.next_token.data=jsonl' algorithm.next_token.data.path=a.jsonl"
    (folder / "command.txt").write_text(f"tvo train algorithm=recap_next_token {own} dataset=addition seed=1\n")
    words = next_commands.next_training_command(run_folder_reading.load_run(folder))
    assert words == ["tvo", "train", "algorithm=grpo", "dataset=addition", "seed=1"]


@pytest.mark.parametrize(
    ("dataset", "command", "said"),
    [
        ("{name: arithmetic}", "tvo train", []),
        ("{name: arithmetic, suffix: x}", "tvo train dataset.suffix=x", ["evaluation=heldout"]),
        ("{name: jsonl, kind: jsonl, path: ok.jsonl, suffix: ''}", "tvo train", ["evaluation=heldout"]),
        ("{name: mixture}", "tvo train plugins=[./mine.py]", ["plugins=[./mine.py]", "evaluation=heldout"]),
    ],
)
def test_a_run_is_evaluated_on_its_own_data(make_run: Make, dataset: str, command: str, said: list[str]) -> None:
    folder = make_run()
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("{name: addition}", dataset))
    (folder / "command.txt").write_text(command + "\n")
    words = next_commands.next_evaluation_command(run_folder_reading.load_run(folder), folder / "policy")
    assert [shlex.split(word)[0] for word in words[2:] if not word.startswith("model.path=")] == said


def test_a_run_that_holds_nothing_out_is_offered_no_evaluation(make_run: Make) -> None:
    folder = make_run()
    text = (folder / "config.yaml").read_text()
    data = "{name: jsonl, kind: jsonl, path: ok.jsonl, test_path: null, holdout: 0}"
    (folder / "config.yaml").write_text(text.replace("{name: addition}", data))
    commands = next_commands.next_commands(run_folder_reading.load_run(folder), folder / "policy")
    assert [command[1] for command in commands] == ["export", "train"]


@pytest.mark.parametrize("path", ["runs/a-b+c.d/policy", "runs/a=1,b=2/policy", "runs/it is mine/policy"])
def test_the_next_command_can_be_pasted(path: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    [word] = shlex.split(overrides.shell_override("model.path", path))
    [parsed] = OverridesParser.create().parse_overrides([word])
    assert parsed.key_or_group == "model.path" and parsed.value() == path and not parsed.is_sweep_override()


@pytest.mark.slow
def test_closing_leaves_figure_and_card(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(matplotlib.rcParams, "backend", "svg")  # a notebook's own, say
    folder = make_run()
    text = figure_and_card.write_figure_and_card(folder)
    assert matplotlib.rcParams["backend"] == "svg"
    assert (folder / "card.txt").read_text() == text and "figures/run.svg" in text
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["run.png", "run.svg"]


def test_reports_need_no_torch() -> None:
    import subprocess
    import sys

    program = "import tvo_cli.report.figure_and_card, tvo_cli.report.run_plot, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_config_that_names_a_path_of_other_bytes_is_read_back() -> None:
    from tvo_cli.config.yaml_text import to_yaml

    tree = {"dataset": {"path": "\udcfcbung.jsonl"}, "lr": 1e-3}
    assert run_folder_reading.parse_run_config(to_yaml(tree)) == tree
