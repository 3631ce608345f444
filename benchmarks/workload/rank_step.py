"""A rank of benchmarks.ranks: `tvo train` on one of the works, alone or among others; rank 0 prints one JSON line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.workload.tvo_step import command
from benchmarks.workload.work import WORKS


def main() -> None:
    """FOLDER WORK STEPS STRATEGY OUT: train in OUT; what each step took, by the wall and by this process's clock."""
    from tvo_cli import config, experiment
    from tvo_cli.parallel.launched_process import launched_process
    from tvo_cli.parallel.process_group import ProcessGroup
    from tvo_cli.parallel.ranks import Ranks
    from tvo_cli.training import training_loop

    folder, work, steps, strategy = Path(sys.argv[1]), WORKS[sys.argv[2]], int(sys.argv[3]), sys.argv[4]
    place, rows = launched_process(), list[dict[str, float]]()
    words = ["logger.console=off", f"parallel={strategy}", f"output_dir={sys.argv[5]}"]
    chosen = config.compose([*command(work, folder, steps, []), *words])
    alone = nullcontext(Ranks())
    group = ProcessGroup.meet(place) if place.count > 1 else None
    with alone if group is None else group.joined(600, "cpu", sharded=strategy == "shard") as ranks:
        _watch(training_loop, ranks, rows)
        experiment.train(chosen, ranks)
    if place.leads:
        print(json.dumps({"rows": rows}))


def _watch(loop: Any, ranks: Any, rows: list[dict[str, float]]) -> None:
    """Take the time of every step, of its check of the states, and of what it exchanges."""
    spent = {"check": 0.0, "exchange": 0.0}
    loop.check_same_state = _timed(loop.check_same_state, spent, "check", time.process_time)
    for name in ("gather", "from_first", "largest", "sum_gradients"):
        if ranks.count > 1:
            setattr(type(ranks), name, _timed(getattr(type(ranks), name), spent, "exchange", time.perf_counter))
    step = loop.train_step

    def timed(*given: Any) -> Any:
        spent.update(check=0.0, exchange=0.0)
        wall, processor = time.perf_counter(), time.process_time()
        found = step(*given)
        taken = {"step": time.perf_counter() - wall, "processor": time.process_time() - processor}
        rows.append(taken | spent)
        return found

    loop.train_step = timed


def _timed(work: Callable[..., Any], spent: dict[str, float], name: str, clock: Callable[[], float]) -> Any:
    def timed(*given: Any, **more: Any) -> Any:
        begun = clock()
        try:
            return work(*given, **more)
        finally:
            spent[name] += clock() - begun

    return timed


if __name__ == "__main__":
    main()
