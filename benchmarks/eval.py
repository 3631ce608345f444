"""Problems per second of `tvo eval` against lm-evaluation-harness's hf model, in turn, on the same machine.

    python -m benchmarks.eval --peer-python /path/to/venv/bin/python --peers ../shared/peers

The same random model (W1 of the peers' workloads), the same 200 problems, 8 samples each of at most 64 tokens at
temperature 1, fp32, one core. The peer wants an environment of its own: pip install 'lm-eval[hf]==0.4.13'.
Without --peer-python only this side runs. Both are timed inside their process, loading excluded for neither's
favour: generation and grading of all 1,600 completions, in CPU seconds and in wall seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUR_SIDE = """
import json, sys, time
from tvo_cli import config
from tvo_cli.experiment import evaluate
folder, model, problems = sys.argv[1:4]
words = [f"output_dir={folder}", f"model.path={model}", "evaluation=[jsonl]", f"path={problems}", "protocol=plain",
         "evaluation.suites.jsonl.dataset.suffix=''", "protocol.max_tokens=64", "decoding.samples=8",
         "decoding.temperature=1", "threads=1", "rollout.batch_rows=512", "reward.workers=1"]
composed = config.compose(words, "eval")
composed.protocol.stop = ["\\n"]
cpu, wall = time.process_time(), time.perf_counter()
summary = evaluate(composed, lambda step: None)
found = summary["suites"]["jsonl"]
print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "tokens": found["tokens"],
                  "generation": found["seconds"]}))
"""


def ours(work: Path, core: str) -> dict[str, float]:
    """One evaluation by this program, from nothing: loading the model is inside the time."""
    shutil.rmtree(work / "run", ignore_errors=True)
    command = [sys.executable, "-c", OUR_SIDE, str(work / "run"), str(work / "model"), str(work / "arith.jsonl")]
    return last_line(command, core, {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})


def peer(python: str, peers: Path, work: Path, core: str) -> dict[str, float]:
    """One evaluation by the harness at batch size 64; its time begins after the model has been loaded."""
    found = last_line([python, str(peers / "eval_lm.py"), "64"], core, {"EVALTASK": str(work), "PYTHONPATH": ""})
    return {"cpu": found["cpu_s"], "wall": found["wall_s"], "characters": found["chars"][0]}


def last_line(command: list[str], core: str, environment: dict[str, str]) -> dict[str, float]:
    """Run pinned to a core; its last line of output is JSON."""
    pinned = ["taskset", "-c", core, *command] if shutil.which("taskset") else command
    done = subprocess.run(pinned, capture_output=True, text=True, env=os.environ | environment, timeout=1800)
    if done.returncode:
        raise SystemExit(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def prepare(python: str, peers: Path, work: Path) -> None:
    """The model and the problems, by the peers' own script; needs torch and transformers."""
    work.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, "eval_prep.py"], cwd=peers, env=os.environ | {"EVALTASK": str(work)}, check=True)


def main() -> None:
    """Both sides in turn, a table, and a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers")
    parser.add_argument("--peer-python", default="", help="an interpreter that has lm-eval 0.4.13")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--core", default="1")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "benchmarks" / "eval")
    chosen = parser.parse_args()
    work = chosen.out.resolve()
    prepare(sys.executable, chosen.peers.resolve(), work)
    sides: dict[str, list[dict[str, float]]] = {"tvo": [], "lm-eval": []}
    for _ in range(chosen.repeats):
        sides["tvo"].append(ours(work, chosen.core))
        if chosen.peer_python:
            sides["lm-eval"].append(peer(chosen.peer_python, chosen.peers.resolve(), work, chosen.core))
        print({name: [round(run["cpu"], 1) for run in runs] for name, runs in sides.items()}, flush=True)
    conclude(sides, work)


def conclude(sides: dict[str, list[dict[str, float]]], work: Path) -> None:
    """Medians, and the ratio of each round: neighbours in time share the machine's mood."""
    for name, runs in sides.items():
        for clock in ("cpu", "wall"):
            if runs:
                print(f"{name:8} {clock:5} {200 / statistics.median(run[clock] for run in runs):8.2f} problems/s")
    pairs = list(zip(sides["tvo"], sides["lm-eval"], strict=False))
    ratios = {clock: [theirs[clock] / mine[clock] for mine, theirs in pairs] for clock in ("cpu", "wall")}
    for clock, found in ratios.items():
        if found:
            print(f"ratio by {clock}: {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})")
    report = {"machine": platform.platform(), "sides": sides, "ratios": ratios}
    (work / "eval.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
