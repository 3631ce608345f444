"""Verdicts of a run folder given again: a verifier that errs is seen in the responses, whatever its curves look like.

A share ε of turned verdicts moves an accuracy a to a + ε(1 − 2a): nothing at a = ½, and on the way to a solved task
too little for any curve (docs/results/diagnosis.md). The kept responses have what was asked, said and decided, and the
grader's rules are deterministic: a verdict that comes out otherwise is wrong, or was given by other rules. No statistic
and no threshold of chance is needed; two such rows are a finding, for a single one may be a change of the rules
between two versions. What the learner keeps of its signal is 1 − 2ε: from ε = ¼ on, half or less.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvo_cli.diagnosis.finding import CRITICAL, WARNING, Finding
from tvo_cli.diagnosis.kept_responses import numbered_responses
from tvo_cli.diagnosis.training_log import RunFacts, TrainingLog
from tvo_cli.stats.confidence_interval import wilson_interval

FAILURE = "wrong_verdicts"
METRIC = "verdicts that differ"  # a share of responses, and no column of a log
STEP = "step-"  # responses/step-000010.jsonl: of a training step
FEWEST = 2  # rows
HALF_OF_THE_SIGNAL = 0.25  # share of turned verdicts; of the problems, for responses to one go together
ROWS = 64  # of a step, evenly taken: of a tenth turned round one such step shows two with 99%
SECONDS = 0.25  # of the processor, for all steps together
OTHER_JUDGES = ("reasoning_gym", "mixture")  # kinds of data sets whose rows do not say how they are judged
FIELDS = {"gold": str, "completion": str, "correct": bool}


@dataclass(frozen=True, slots=True)
class GradedStep:
    """What came out of the responses of one step."""

    step: int
    rows: int  # that were judged again
    wrong: Sequence[int]  # line numbers of those with another verdict, from 1
    problems: Mapping[str, bool]  # by their ids: whether any response got another verdict


def wrong_verdicts_in_folder(log: TrainingLog) -> Finding | None:
    """Return the finding, if responses of a run folder get another verdict when they are graded again."""
    if log.facts.folder is None or not is_judged_by_rules(log.facts):
        return None
    graded = list(graded_steps(log.facts.folder / "responses", log.facts))
    faulty = [one for one in graded if one.wrong]
    wrong = sum(len(one.wrong) for one in faulty)
    if wrong < FEWEST:
        return None
    first, last = faulty[0], faulty[-1]
    since = [one for one in graded if one.step >= first.step]
    rows = sum(one.rows for one in since)
    problems = [is_faulty for one in since for is_faulty in one.problems.values()]
    surely = wilson_interval(sum(problems), len(problems)).low
    message = (
        f"{wrong} of {rows} responses from step {first.step} on get another verdict when they are graded again"
        f" ({sum(problems)} of {len(problems)} problems); the first: line {first.wrong[0]} of step {first.step}"
    )
    evidence = {"value": wrong / rows, "threshold": FEWEST / rows}
    severity = CRITICAL if surely >= HALF_OF_THE_SIGNAL else WARNING
    active = True  # that the few problems kept since then were judged rightly does not end it
    return Finding(FAILURE, severity, first.step, first.step, last.step, active, METRIC, message, evidence)


def is_judged_by_rules(facts: RunFacts) -> bool:
    """Return whether a run's verdicts are those of the grader's own rules, and not of a function of the user's."""
    own = any(value for key, value in facts.settings.items() if key.endswith("scorer"))
    return not own and "reward.profile" in facts.settings and facts.settings.get("dataset.kind") not in OTHER_JUDGES


def graded_steps(folder: Path, facts: RunFacts) -> Iterator[GradedStep]:
    """Yield what came out of each step that has kept responses, the last and the first steps before those between.

    What algebra would have to decide is left out: it takes a process of its own. In the order of the steps.
    """
    files = sorted(folder.glob(f"{STEP}*.jsonl"))
    if not files:
        return
    from tvo_cli.reward.grader import Grader  # of those who have responses alone

    asked = {key.removeprefix("reward."): value for key, value in facts.settings.items() if key.startswith("reward.")}
    end = time.process_time() + SECONDS
    found = []
    with Grader(asked) as grader:
        for file in _from_both_ends(files):
            if time.process_time() > end:
                break
            found.append(_graded_step(grader, file, end))
    yield from sorted((one for one in found if one.rows), key=lambda one: one.step)


def _from_both_ends(files: Sequence[Path]) -> list[Path]:
    """Return the last file, the first, and so on inwards."""
    count = len(files)
    return [files[count - 1 - at // 2] if at % 2 == 0 else files[at // 2] for at in range(count)]


def _graded_step(grader: Any, file: Path, end: float) -> GradedStep:
    """The verdicts of a step's kept responses, given again by the grader, within the time that is left."""
    rows = list(_judged_rows(file))
    judged, wrong, problems = 0, list[int](), dict[str, bool]()
    for number, row in rows[:: -(-len(rows) // ROWS) or 1]:
        if time.process_time() > end:
            break
        verdict = _verdict(grader, row)
        if verdict is None:
            continue
        judged, differs, name = judged + 1, verdict != row["correct"], str(row.get("id", number))
        problems[name] = problems.get(name, False) or differs
        wrong += [number] if differs else []
    return GradedStep(int(file.stem.removeprefix(STEP)), judged, wrong, problems)


def _judged_rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield number and row of the lines that have a gold, a response and a verdict."""
    for number, row in numbered_responses(file):
        if all(isinstance(row.get(name), kind) for name, kind in FIELDS.items()):
            yield number, row


def _verdict(grader: Any, row: Mapping[str, Any]) -> bool | None:
    """The verdict; None where the rules alone do not decide."""
    from tvo_cli.types import Problem

    problem = Problem(str(row.get("id", "")), str(row.get("question", "")), row["gold"], "")
    verdict = grader.judge_here(row["completion"], problem, finished=row.get("reason") != "unfinished")
    return None if verdict is None or verdict.failed else bool(verdict.correct)
