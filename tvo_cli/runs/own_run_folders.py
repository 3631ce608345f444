"""Run folders of our own: which folders are one, of which command, and how far its run has come."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tvo_cli.report import run_folder_reading
from tvo_cli.runs.tolerant_run_reading import read_run_mapping
from tvo_cli.runs.trial import FAILED, FINISHED, UNFINISHED
from tvo_cli.tracking import run_status as states
from tvo_cli.tracking.metric_names import EVALUATION

SFT_RECORD = "sft.json"  # written at the end of `tvo sft`
SFT_PLANS = (SFT_RECORD, "resume/plan.json", "resume/experiment.json")  # what knows its steps; the last only as asked
CONTINUES = ("Interrupted", "KeyboardInterrupt")  # ends that the same command goes on from


def is_run_folder(names: Iterable[str]) -> bool:
    """Return whether a folder with these files is a run of our own, even one that wrote next to nothing."""
    found = set(names)
    return "metrics.jsonl" in found or ("config.yaml" in found and "command.txt" in found)


def is_fine_tuning(folder: Path) -> bool:
    """Return whether a folder is that of `tvo sft`, done or under way."""
    return (folder / SFT_RECORD).is_file() or states.read_status(folder).get("command") == "sft"


def planned_fine_tuning(folder: Path) -> int:
    """Return the steps that a fine-tuning is to have or has had; 0 where they are not known."""
    found = (read_run_mapping(folder / name)[0].get("steps") for name in SFT_PLANS)
    return next((steps for steps in found if isinstance(steps, int)), 0)


def with_final_evaluation(run: run_folder_reading.LoadedRun) -> run_folder_reading.LoadedRun:
    """Return a fine-tuning with the evaluation at its end, which early versions wrote into sft.json alone."""
    record = read_run_mapping(run.folder / SFT_RECORD)[0]
    scores = {name: value for name, value in record.items() if name.startswith(EVALUATION)}
    step = record.get("steps")
    if not scores or not isinstance(step, int) or any(row["step"] >= step for row in run.evaluations):
        return run
    return replace(run, evaluations=[*run.evaluations, {"step": step, **scores}])


def state_of_own_run(run: run_folder_reading.LoadedRun, planned: int) -> tuple[str, str]:
    """Return the state of a run, and what is known of its end: from its files alone, never from the clock.

    Its state.json takes precedence: a summary may be left over from before the run was extended or begun again.
    """
    done = max((int(row["step"]) for row in run.steps), default=0)
    told = states.read_status(run.folder)
    word = told.get("state") or (states.FINISHED if run.summary else "")
    if word == states.FINISHED:
        short = f"stopped itself at step {done} of {planned}" if done < planned else ""
        return FINISHED, short
    progress = f"{done} of {planned or '?'} steps"
    error = _last_error_in_own_log(run.folder / "run.log")
    if word == states.FAILED or (error and not error.startswith(CONTINUES)):
        return FAILED, f"{progress}; stopped by {told.get('reason') or error or 'an error'}"
    if word == states.INTERRUPTED or error:
        return UNFINISHED, f"{progress}; interrupted; the same command resumes it"
    return UNFINISHED, f"{progress}; still running, or killed"


def _last_error_in_own_log(path: Path) -> str:
    """Return `Kind: message` when run.log ends with it; anything logged later means that the run went on."""
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().split("\n")
    found = re.search(r"ERROR tvo: stopped by (.+)", lines[-1])
    return found.group(1).strip() if found else ""


def last_responses_file(folder: Path) -> Path | None:
    """Return the responses of our own run folder's last evaluation; None where none were kept."""
    kept = sorted((folder / "responses").glob("evaluation-step-*.jsonl"))
    whole = folder / "responses.jsonl"
    return kept[-1] if kept else (whole if whole.is_file() else None)
