"""Problems per second of `tvo eval` against lm-evaluation-harness 0.4.13, in turn, on the same core.

    python -m benchmarks.eval                                  # our side alone
    python -m benchmarks.eval --peer lm-eval                   # sets the harness up below outputs/ the first time
    python -m benchmarks.eval --peer lm-eval --peer-python /path/to/venv/bin/python

The same random model (W1), the same sums, 8 samples each of at most 64 tokens at temperature 1, which a newline ends,
fp32, one thread. Ours is timed from nothing, loading included; the harness's time begins after its model is loaded,
at batch size 64. Ratios are of CPU and of wall seconds, one a turn.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import FOLDER, child, machine, spread, table, write
from benchmarks.peers.environment import interpreter, version
from benchmarks.work import W1, build

SIDES = {"tvo": "benchmarks.own_eval", "lm-eval": "benchmarks.peers.lm_eval_side"}
CLOCKS = ("cpu", "wall")
SAMPLES, TOKENS = 8, 64


def prepare(folder: Path, problems: int) -> Path:
    """Model and problems: W1's, as many as are asked for."""
    build(W1, folder, -(-problems // W1.prompts))
    place = folder / "problems.jsonl"
    place.write_text("\n".join(place.read_text(encoding="utf-8").splitlines()[:problems]), encoding="utf-8")
    return folder


def ratios(sides: dict[str, list[dict[str, float]]]) -> dict[str, list[float]]:
    """The harness's seconds over ours, turn by turn: neighbours in time share the machine's mood."""
    pairs = list(zip(sides["tvo"], sides.get("lm-eval", []), strict=False))
    return {clock: [theirs[clock] / mine[clock] for mine, theirs in pairs] for clock in CLOCKS}


def report(sides: dict[str, list[dict[str, float]]], problems: int) -> str:
    """Problems a second of each side, and the ratios."""
    rows = [
        [f"{side}, problems/s by {clock}", spread([problems / run[clock] for run in runs])]
        for side, runs in sides.items()
        for clock in CLOCKS
        if runs
    ]
    rows += [[f"ratio by {clock}", spread(found)] for clock, found in ratios(sides).items() if found]
    return table(["", "median (least … most) over turns"], rows)


def main() -> None:
    """Both sides in turn, a table, and a JSON file."""
    chosen = arguments()
    python = interpreter(chosen.peer, chosen.peer_python) if chosen.peer or chosen.peer_python else ""
    folder, before = prepare(FOLDER / "eval", chosen.problems), machine()
    sides: dict[str, list[dict[str, Any]]] = {"tvo": [], "lm-eval": []}
    words = [str(folder), str(SAMPLES), str(TOKENS)]
    for turn in range(chosen.repeats):
        for side, interpreted in (("tvo", sys.executable), ("lm-eval", python)):
            if interpreted:
                offline = {"HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
                sides[side].append(child([interpreted, "-m", SIDES[side], *words], chosen.core, offline))
        seconds = {side: round(runs[-1]["cpu"], 2) for side, runs in sides.items() if runs}
        print(f"turn {turn + 1}:", seconds, flush=True)
    print(f"\n{chosen.problems} problems × {SAMPLES} samples\n\n{report(sides, chosen.problems)}")
    versions = {"lm-eval": version(python, "lm_eval")} if python else {}
    write(chosen.out or FOLDER / "eval.json", {"machine": before | versions, "sides": sides, "ratios": ratios(sides)})


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=("lm-eval",), default="")
    parser.add_argument("--peer-python", default="", help="an interpreter that has lm-eval 0.4.13; else one is set up")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    parser.add_argument("--core", default="1", help="the core both sides are pinned to; empty: none")
    parser.add_argument("--out", type=Path, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
