"""An evaluation from its config to its numbers; regrading one without a model."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.errors import UserError
from tvo_cli.evaluation import coverage, grader_disagreement, responses, suite
from tvo_cli.evaluation import output_folder as files
from tvo_cli.evaluation.generate_and_grade import Evaluator, Step, check_context, grade, plan
from tvo_cli.evaluation.responses import Response
from tvo_cli.evaluation.suite import Suite
from tvo_cli.evaluation.summary import Equal, conduct, summarise
from tvo_cli.reward import Grader
from tvo_cli.tracking import run_folder

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.model.prompt_check import Reader
    from tvo_cli.rollout.engine import Engine

log = logging.getLogger("tvo")
Watch = Callable[[Step], object]
JUDGED = ("correct", "extracted", "reason", "failed", "second")


def evaluate(
    config: DictConfig,
    engine: Engine,
    tokenizer: Any,
    model: Mapping[str, Any],
    watch: Watch,
    reader: Reader | None = None,
    environment: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Do what is missing, then say what all of it shows; the content of summary.json.

    `reader`: what the prompts have to suit; None: they are not looked at. `environment`: for versions.json.
    """
    place, node = Path(config.output_dir), config.evaluation
    suites = suite.load(config)
    if reader is not None:
        from tvo_cli.evaluation.prompt_fit import fitting  # torch comes with it, and regrading needs none

        suites = fitting(suites, node.suites, reader)
    base = _base(node.base, suites)
    identity = files.identify(suites, model, int(node.seed))
    tasks, counted = plan(suites, files.kept(place, identity), tokenizer)
    check_context(tasks, engine)
    with Grader(config.reward) as grader:
        files.begin(place, identity, suites, config, environment)
        path, rows = place / responses.NAME, int(config.rollout.batch_size)
        used = None if node.predict_only else grader
        Evaluator(engine, used, path, int(node.seed), rows).run(tasks, counted, watch)
        found = responses.read(path).responses
        if used is not None and unjudged(found, grader.settings.audit):
            found = _judge(path, files.suites_of(place), found, grader)
        figures = _figures(suites, found, grader.equal, float(node.confidence))
    for name, before in base.items():
        figures[name]["support"] = coverage.summarise(before, [row for row in found if row.suite == name])
    grader_disagreement.write(place / grader_disagreement.NAME, found)
    return _write(place, identity, figures)


def regrade(place: Path, reward: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    """Judge every completion of an evaluation again, by today's rules; no model is needed."""
    identity = files.identity_of(place)
    suites = [_judged_by(found, suite.grader_version(reward)) for found in files.suites_of(place)]
    before = responses.read(place / responses.NAME)
    if before.repair:
        log.warning("%s", before.repair)
    with Grader(reward) as grader:
        shutil.copyfile(place / responses.NAME, place / files.PREVIOUS)
        after = _judge(place / responses.NAME, suites, before.responses, grader)
        figures = _figures(suites, after, grader.equal, confidence)
    grader_disagreement.write(place / grader_disagreement.NAME, after)
    identity = files.renew(place, identity, suites)
    old = {row.key: row.correct for row in before.responses}
    changed = sum(old[row.key] is not row.correct for row in after)
    return _write(place, identity, figures) | {"changed": changed}


def _judged_by(found: Suite, grader: str) -> Suite:
    return replace(found, protocol=replace(found.protocol, grader=grader))


def unjudged(rows: Sequence[Response], audited: bool) -> bool:
    """Whether a verdict is missing: of an earlier run that only predicted, or that asked no second grader."""
    unaudited = audited and all(row.second is None for row in rows)
    return unaudited or any(row.correct is None for row in rows)


def _judge(path: Path, suites: Sequence[Suite], rows: Sequence[Response], grader: Grader) -> tuple[Response, ...]:
    """Every response with a verdict of now, on disk too."""
    verdicts: dict[tuple[str, str, str, int], Response] = {}
    for found in suites:
        problems = {problem.id: problem for problem in found.problems}
        own = [row for row in rows if row.suite == found.name and row.id in problems]
        asked = [(problems[row.id], row.completion, row.finish == "stop") for row in own]
        for row, v in zip(own, grade(grader, found.protocol, asked), strict=True):
            verdicts[row.key] = replace(row, **{name: getattr(v, name) for name in JUDGED})
    judged = tuple(verdicts.get(row.key, row) for row in rows)
    responses.write(path, judged)
    return judged


def _figures(suites: Sequence[Suite], rows: Sequence[Response], equal: Equal, confidence: float) -> dict[str, Any]:
    return {found.name: _figures_of(found, rows, equal, confidence) for found in suites}


def _figures_of(found: Suite, rows: Sequence[Response], equal: Equal, confidence: float) -> dict[str, Any]:
    """A suite's numbers over the problems that were asked for, in their order; a stop's torn one is left out."""
    order = {problem.id: place for place, problem in enumerate(found.problems)}
    own = sorted((r for r in rows if r.suite == found.name and r.id in order), key=lambda r: (order[r.id], r.sample))
    counts = Counter(row.id for row in own)
    own = [row for row in own if counts[row.id] == max(counts.values())]
    part = suite.answered(found, {row.id for row in own})
    about = {"protocol": found.protocol.name, "protocol_hash": found.protocol.digest, "fingerprint": part}
    if any(row.correct is None for row in own):
        return about | {"problems": len(order), "graded": False} | conduct(own, own)
    return about | {"graded": True} | summarise(own, found.ks, equal, confidence)


def _write(place: Path, identity: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    summary = {"kind": "evaluation", **identity["model"], "seed": identity["seed"], "suites": dict(figures)}
    run_folder.write_json(place / "summary.json", summary)
    return summary


def _base(named: str | None, suites: Sequence[Suite]) -> dict[str, list[Response]]:
    """The base model's responses by suite; it must have been asked the same, in the same way."""
    if not named:
        return {}
    place = Path(named)
    identity, rows = files.identity_of(place), responses.read(place / responses.NAME).responses
    for found in suites:
        old = identity["suites"].get(found.name)
        if old is None:
            raise UserError("evaluation.base", named, f"was not evaluated on {found.name}.", "Evaluate it there first.")
        if (old["protocol_hash"], old["problems"]) != (found.protocol.digest, found.fingerprint):
            problem = f"{found.name} was evaluated by another protocol or on other problems there."
            raise UserError("evaluation.base", named, problem, "Evaluate both in the same way.")
    return {found.name: [row for row in rows if row.suite == found.name] for found in suites}
