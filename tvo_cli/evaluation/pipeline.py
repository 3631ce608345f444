"""The order of an evaluation, from its config to its summary; and of regrading one without a model."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.config.reward_checks import check_judge_of_evaluation
from tvo_cli.errors import UserError
from tvo_cli.evaluation import evaluation_folder as files
from tvo_cli.evaluation import grader_disagreement, responses, suite, support_change
from tvo_cli.evaluation.counted_responses import counted_responses, incomplete_decodings, said_of_incomplete
from tvo_cli.evaluation.evaluation_folder import write_evaluation_summary
from tvo_cli.evaluation.generate_and_grade import Evaluator, EvaluatorProgress, grade_completions
from tvo_cli.evaluation.generation_tasks import check_tasks_fit_context, plan_missing_tasks
from tvo_cli.evaluation.pair_cost import summarise_pair_cost
from tvo_cli.evaluation.protocol import protocol_decodings
from tvo_cli.evaluation.responses import GradedResponse, has_missing_verdicts
from tvo_cli.evaluation.strategy_choice import summarise_strategies
from tvo_cli.evaluation.suite import Suite
from tvo_cli.evaluation.suite_summary import summaries_by_suite
from tvo_cli.reward import Grader
from tvo_cli.reward.grader_version import grader_version

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.model.prompt_check import PromptReader
    from tvo_cli.rollout.engines.engine import Engine

log = logging.getLogger("tvo")
Watch = Callable[[EvaluatorProgress], object]
Choose = Callable[[Sequence[Suite]], tuple[list[Suite], Mapping[str, Any]]]
JUDGED = ("correct", "extracted", "reason", "failed", "second")


def evaluate_suites(
    config: DictConfig,
    engine: Engine,
    tokenizer: Any,
    model: Mapping[str, Any],
    watch: Watch,
    reader: PromptReader | None = None,
    environment: Mapping[str, Any] | None = None,
    notice: Callable[[Sequence[Suite]], object] = lambda suites: None,
    choose: Choose | None = None,
) -> dict[str, Any]:
    """Do what is missing, then say what all of it shows; the content of summary.json.

    `reader`: what the prompts have to suit; None: they are not looked at. `environment`: for versions.json.
    `notice` is shown the suites before anything is asked. `choose` gives their problems strategies, and says of what.
    """
    place, node = Path(config.output_dir), config.evaluation
    check_judge_of_evaluation(config)
    suites = _suites_to_evaluate(config, reader)
    notice(suites)
    base = _base_model_responses(node.base, suites)
    suites, model = _with_strategies(suites, model, choose)
    identity = files.evaluation_identity(suites, model, int(node.seed))
    tasks, kept = plan_missing_tasks(suites, files.read_kept_responses(place, identity), tokenizer)
    check_tasks_fit_context(tasks, engine)
    with Grader(config.reward) as grader:
        files.write_evaluation_folder(place, identity, suites, config, environment)
        path, rows = place / responses.NAME, int(config.rollout.batch_size)
        used = None if node.predict_only else grader
        Evaluator(engine, used, path, int(node.seed), rows).run(tasks, kept, watch)
        found = _responses_in_order(path, suites)
        if used is not None and has_missing_verdicts(found, grader.settings.audit):
            found = _grade_again(path, files.read_recorded_suites(place), found, grader)
        figures = summaries_by_suite(suites, found, grader.equal, float(node.confidence))
    counted = counted_responses(suites, found)
    _add_costs(figures, counted, model)
    _add_support(figures, counted, base)
    grader_disagreement.write_disagreements(place / grader_disagreement.NAME, counted)
    return write_evaluation_summary(place, identity, figures)


def _responses_in_order(path: Path, suites: Sequence[Suite]) -> tuple[GradedResponse, ...]:
    """The responses by suite, decoding, problem and sample, on disk too: they were written as they came.

    Which of two waiting ones is over first, and when what has come is flushed, depends on how busy the machine is.
    """
    found = responses.read_responses(path).responses
    asked = (
        (one.name, problem.id, decoding)
        for one in suites
        for decoding in protocol_decodings(one.protocol)
        for problem in one.problems
    )
    places = {key: place for place, key in enumerate(asked)}
    ordered = sorted(found, key=lambda row: (places.get(row.key[:3], len(places)), row.sample))
    if [row.key for row in ordered] != [row.key for row in found]:
        responses.rewrite_responses(path, ordered)
    return tuple(ordered)


def _with_strategies(
    suites: list[Suite], model: Mapping[str, Any], choose: Choose | None
) -> tuple[list[Suite], Mapping[str, Any]]:
    """The suites with a strategy for each problem, and what is recorded of the model with the probe that chose."""
    if choose is None:
        return suites, model
    suites, probe = choose(suites)
    return suites, {**model, "probe": probe}


def _add_support(
    figures: dict[str, Any], rows: Sequence[GradedResponse], base: Mapping[str, list[GradedResponse]]
) -> None:
    """Which problems a base model solved too, of each graded suite that one was asked."""
    for name in (name for name in base if figures[name]["graded"]):
        own = [row for row in rows if row.suite == name]
        figures[name]["support"] = support_change.summarise_support_change(base[name], own)


def _suites_to_evaluate(config: DictConfig, reader: PromptReader | None) -> list[Suite]:
    """The suites, without prompts that are too long where a reader says what fits."""
    suites = suite.load_suites(config)
    if reader is None:
        return suites
    from tvo_cli.evaluation.prompt_fit import drop_long_suite_prompts  # torch comes with it, and regrading needs none

    return drop_long_suite_prompts(suites, config.evaluation.suites, reader)


def regrade_folder(place: Path, reward: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    """Judge every completion of an evaluation again, by today's rules; no model is needed."""
    identity = files.read_evaluation_identity(place)
    suites = [
        _with_grader_version(found, grader_version(reward, {problem.scorer for problem in found.problems}))
        for found in files.read_recorded_suites(place)
    ]
    before = responses.read_responses(place / responses.NAME)
    if before.repair:
        log.warning("%s", before.repair)
    remedy = f"The command in {place / 'command.txt'} makes"
    if not before.responses:
        raise UserError("RUN", place, "holds no response yet.", f"{remedy} them.")
    with Grader(reward) as grader:
        shutil.copyfile(place / responses.NAME, place / files.PREVIOUS)
        after = _grade_again(place / responses.NAME, suites, before.responses, grader)
        figures = summaries_by_suite(suites, after, grader.equal, confidence)
    identity = files.rewrite_evaluation_identity(place, identity, suites)
    counted = counted_responses(suites, after)
    _say_what_is_missing(suites, counted, remedy)
    if not figures:
        told = f"holds no problem with all of its responses ({len(after)} responses, whose verdicts are renewed)."
        raise UserError("RUN", place, told, f"{remedy} the rest.")
    _add_costs(figures, counted, identity["model"])
    grader_disagreement.write_disagreements(place / grader_disagreement.NAME, counted)
    old = {row.key: row.correct for row in before.responses}
    changed = sum(old[row.key] is not row.correct for row in after)
    return write_evaluation_summary(place, identity, figures) | {"changed": changed}


def _say_what_is_missing(suites: Sequence[Suite], counted: Sequence[GradedResponse], remedy: str) -> None:
    """Warn of each suite that a kill has left incomplete, in one line."""
    for found in suites:
        lacking = incomplete_decodings(found, counted)
        if lacking:
            told = said_of_incomplete(found.name, lacking)
            log.warning("%s; the figures are of those. %s the rest.", told, remedy)


def _add_costs(figures: dict[str, Any], rows: Sequence[GradedResponse], model: Mapping[str, Any]) -> None:
    """What each suite has cost, where a small model took turns with the evaluated one or strategies were chosen."""
    summaries = {"pair": summarise_pair_cost, "probe": summarise_strategies}
    for kind, summarise in summaries.items():
        for name, of_suite in figures.items() if model.get(kind) else ():
            of_suite[kind] = summarise([row for row in rows if row.suite == name], model[kind])


def _with_grader_version(found: Suite, grader: str) -> Suite:
    return replace(found, protocol=replace(found.protocol, grader=grader))


def _grade_again(
    path: Path, suites: Sequence[Suite], rows: Sequence[GradedResponse], grader: Grader
) -> tuple[GradedResponse, ...]:
    """Every response with a verdict of now, on disk too."""
    verdicts: dict[tuple[str, str, str, int], GradedResponse] = {}
    for found in suites:
        problems = {problem.id: problem for problem in found.problems}
        own = [row for row in rows if row.suite == found.name and row.id in problems]
        asked = [(problems[row.id], row.completion, row.finish == "stop") for row in own]
        for row, v in zip(own, grade_completions(grader, found.protocol, asked), strict=True):
            verdicts[row.key] = replace(row, **{name: getattr(v, name) for name in JUDGED})
    judged = tuple(verdicts.get(row.key, row) for row in rows)
    responses.rewrite_responses(path, judged)
    return judged


def _base_model_responses(named: str | None, suites: Sequence[Suite]) -> dict[str, list[GradedResponse]]:
    """The base model's responses by suite; it must have been asked the same, in the same way."""
    if not named:
        return {}
    place = Path(named)
    identity, rows = files.read_evaluation_identity(place), responses.read_responses(place / responses.NAME).responses
    for found in suites:
        old = identity["suites"].get(found.name)
        if old is None:
            raise UserError("evaluation.base", named, f"was not evaluated on {found.name}.", "Evaluate it there first.")
        if (old["protocol_hash"], old["problems"]) != (found.protocol.fingerprint, found.fingerprint):
            problem = f"{found.name} was evaluated by another protocol or on other problems there."
            raise UserError("evaluation.base", named, problem, "Evaluate both in the same way.")
    counted = counted_responses(suites, rows)
    by_suite = {found.name: [row for row in counted if row.suite == found.name] for found in suites}
    for found in suites:
        _check_base_responses(named, found, by_suite[found.name])
    return by_suite


def _check_base_responses(named: str, found: Suite, counted: Sequence[GradedResponse]) -> None:
    """Refuse a base model's evaluation without a verdict or a problem of those asked for; warn of a part of them."""
    if any(row.correct is None for row in counted):
        remedy = f"Run: tvo eval --regrade {named}"
        raise UserError("evaluation.base", named, f"{found.name} has not been graded there.", remedy)
    answered = {row.id for row in counted if row.decoding == protocol_decodings(found.protocol)[0]}
    there = f"{found.name} was evaluated there on {len(answered)} of {len(found.problems)} problems"
    if not answered:
        raise UserError("evaluation.base", named, f"{there}.", "Evaluate the base on them first.")
    if len(answered) < len(found.problems):
        log.warning("evaluation.base=%s: %s; support is of those", named, there)
