"""Makes tests/comparison/fixture_runs from real runs of benchmarks.first_light: three algorithms, three seeds.

    python -m tests.comparison.trim outputs/first-light/arithmetic

Kept: every second step of the metrics that a comparison reads, to four digits; the settings it looks at; eight
problems of the last evaluation. Then two runs are broken by hand: one failed, one is still going.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tvo_cli.report.run_folder_reading import parse_run_config

HERE = Path(__file__).parent
ARMS = {"tvo": ("0.0003", "0.001"), "grpo": ("0.0001", "0.0003", "0.001"), "ppo": ("0.0001", "0.0003")}
METRICS = (
    *("accuracy/fresh", "policy/entropy", "neutral/entropy", "gradient/variance", "gradient/normalised_variance"),
    *("gradient/signal", "gradient/log_fluctuation", "rollouts", "tokens", "time/step"),
)
SETTINGS = {
    "trainer": ("steps", "threads"),
    "optimizer": ("lr", "clip_norm"),
    "dataset": ("name", "modulus"),
    "evaluation": ("problems", "samples", "temperature", "seed", "max_tokens"),
    "rollout": ("prompts", "samples", "epochs"),
    "algorithm": ("name", "critic"),
}
PROBLEMS = 8


def main(source: Path) -> None:
    """Write the fixture anew."""
    shutil.rmtree(HERE / "fixture_runs", ignore_errors=True)
    for algorithm, rates in ARMS.items():
        for rate in rates:
            for seed in (2, 3, 4):
                trim(source / f"{algorithm},{rate},s{seed}", HERE / "fixture_runs" / f"{algorithm}-{rate}-s{seed}")
    broken = HERE / "fixture_runs" / "ppo-0.0003-s4"
    cut(broken, 12)
    (broken / "run.log").write_text("2026-11-21 05:00:00,000 ERROR tvo: stopped by RuntimeError: out of luck\n")
    cut(HERE / "fixture_runs" / "grpo-0.0003-s4", 20)


def trim(source: Path, target: Path) -> None:
    """One run, small."""
    target.mkdir(parents=True)
    config = parse_run_config((source / "config.yaml").read_text())
    kept = {group: {key: config[group][key] for key in keys} for group, keys in SETTINGS.items()}
    (target / "config.yaml").write_text(json.dumps({"seed": config["seed"], **kept}, indent=1) + "\n")
    rows = [json.loads(line) for line in (source / "metrics.jsonl").read_text().splitlines()]
    small = [_row(row) for row in rows if row["step"] % 2 == 0 or row["step"] == 1]
    (target / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in small))
    summary, collapse = (json.loads((source / f"{name}.json").read_text()) for name in ("summary", "collapse"))
    chosen = {name: summary[name] for name in ("steps", "seconds", "finished")}
    (target / "summary.json").write_text(json.dumps(chosen) + "\n")
    (target / "collapse.json").write_text(
        json.dumps({name: collapse[name] for name in ("verdict", "collapsed_at")}) + "\n"
    )
    [responses] = (source / "responses").glob("evaluation-*.jsonl")
    graded = [json.loads(line) for line in responses.read_text().splitlines()]
    names = sorted({row["id"] for row in graded})[:PROBLEMS]
    kept_rows = [{"id": row["id"], "correct": row["correct"]} for row in graded if row["id"] in names]
    (target / "responses").mkdir()
    (target / "responses" / responses.name).write_text("".join(json.dumps(row) + "\n" for row in kept_rows))


def _row(row: dict[str, float]) -> dict[str, float]:
    kept = ("step", "eval/pass@1") if "eval/pass@1" in row else ("step", *METRICS)
    return {
        name: row[name] if isinstance(row[name], int) else float(f"{row[name]:.4g}") for name in kept if name in row
    }


def cut(run: Path, step: int) -> None:
    """End a run early: no summary, no evaluation."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= step))
    (run / "summary.json").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
