"""The folder of an evaluation: its recorded identity, problems, completions, summary; never two evaluations in one."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.evaluation import responses
from tvo_cli.evaluation.protocol import protocol_from_record
from tvo_cli.evaluation.responses import GradedResponse
from tvo_cli.evaluation.suite import Suite
from tvo_cli.tracking import atomic_files, run_folder
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger("tvo")
IDENTITY, PROBLEMS, PREVIOUS = "evaluation.json", "problems.jsonl", "responses.previous.jsonl"
WEIGHTS_HASH = re.compile(r"[0-9a-f]{16}")  # of weights_fingerprint


def evaluation_identity(suites: Sequence[Suite], model: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The identity of an evaluation: what decides every completion and verdict."""
    named = {
        found.name: {
            "protocol": found.protocol.record(),
            "protocol_hash": found.protocol.fingerprint,
            "problems": found.fingerprint,
            "ks": list(found.ks),
        }
        for found in suites
    }
    return {"model": dict(model), "seed": seed, "suites": named}


def read_kept_responses(folder: Path, identity: Mapping[str, Any]) -> Sequence[GradedResponse]:
    """Responses of an earlier run of the same evaluation; an incomplete last line is cut off, with a warning."""
    path = folder / responses.NAME
    if not path.is_file():
        return ()
    _check_same_evaluation(folder, read_evaluation_identity(folder), identity)
    found = responses.read_responses(path)
    if found.repair:
        log.warning("%s", found.repair)
        responses.cut_torn_response(path)
    return found.responses


def _check_same_evaluation(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Completions of another model, seed, protocol or data set are never mixed with new ones."""
    if _model_whatever_its_path(before["model"]) != _model_whatever_its_path(now["model"]):
        _refuse_other_evaluation(folder, "model", before["model"], now["model"])
    if before["seed"] != now["seed"]:
        _refuse_other_evaluation(folder, "seed", before["seed"], now["seed"])
    for name, found in now["suites"].items():
        old = before["suites"].get(name, found)
        if old["protocol_hash"] != found["protocol_hash"] and _recorded_protocol_without_grader(
            old
        ) == _recorded_protocol_without_grader(found):
            remedy = f"`tvo eval --regrade {folder}` judges it by today's; then the same command goes on."
            problem = f"holds an evaluation whose {name} was judged by other rules ({old['protocol']['grader']})."
            raise UserError("output_dir", folder, problem, remedy)
        for key in ("protocol_hash", "problems"):
            if old[key] != found[key]:
                _refuse_other_evaluation(folder, f"{name}.{key}", old[key], found[key])


def _model_whatever_its_path(model: Mapping[str, Any]) -> Any:
    """An evaluated model, without the path of weights that are known by their hash: a folder has many paths.

    Of a hub id `weights` is the revision, and the id stays.
    """
    found = json.loads(json.dumps(dict(model)))
    for name, node in (("model", found), ("small", found.get("pair") or {})):
        if WEIGHTS_HASH.fullmatch(str(node.get("weights"))):
            del node[name]
    return found


def _recorded_protocol_without_grader(node: Mapping[str, Any]) -> Any:
    """A suite's protocol as an evaluation folder has it on record, whatever judges."""
    return json.loads(json.dumps(dict(node["protocol"]) | {"grader": ""}))


def _refuse_other_evaluation(folder: Path, key: str, old: object, new: object) -> None:
    remedy = "Name another folder (output_dir=…), or remove this one."
    raise UserError("output_dir", folder, f"holds an evaluation with another {key}: {old}, now {new}.", remedy)


def write_evaluation_folder(
    folder: Path,
    identity: Mapping[str, Any],
    suites: Sequence[Suite],
    config: DictConfig,
    environment: Mapping[str, Any] | None = None,
) -> None:
    """Everything that regrading and a reviewer need, before the first completion."""
    folder.mkdir(parents=True, exist_ok=True)
    merged = dict(identity)
    if (folder / IDENTITY).is_file():
        merged["suites"] = {**read_evaluation_identity(folder)["suites"], **identity["suites"]}
    run_folder.describe_run(folder, config, configuration.rerun_command(), environment)
    atomic_files.write_json_atomically(folder / IDENTITY, merged)
    lists = sorted(
        (_read_problems_file(folder), [(s.name, p) for s in suites for p in s.problems]), key=len, reverse=True
    )
    known = {(name, problem.id): problem for rows in lists for name, problem in rows}  # in the longer one's order
    atomic_files.write_json_lines_atomically(
        folder / PROBLEMS, [_row_of_problem(name, p) for (name, _), p in known.items()]
    )


def rewrite_evaluation_identity(folder: Path, identity: Mapping[str, Any], suites: Sequence[Suite]) -> dict[str, Any]:
    """Write down the protocols that an evaluation was judged by anew."""
    renewed = {**identity, "suites": evaluation_identity(suites, identity["model"], identity["seed"])["suites"]}
    atomic_files.write_json_atomically(folder / IDENTITY, renewed)
    return renewed


def _row_of_problem(name: str, problem: Problem) -> dict[str, Any]:
    fields = ("id", "question", "answer", "source", "level", "subject", "scorer")
    turns = {"turns": [list(turn) for turn in problem.turns]} if problem.turns else {}
    return {"suite": name} | {field: getattr(problem, field) for field in fields} | turns


def _read_problems_file(folder: Path) -> list[tuple[str, Problem]]:
    path = folder / PROBLEMS
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [(row.pop("suite"), _problem_from_recorded_row(row)) for row in rows]


def _problem_from_recorded_row(row: dict[str, Any]) -> Problem:
    return Problem(**row | {"turns": tuple((role, text) for role, text in row.get("turns", ()))})


def read_evaluation_identity(folder: Path) -> dict[str, Any]:
    """The identity that an evaluation's folder recorded."""
    path = folder / IDENTITY
    if not path.is_file():
        raise UserError("RUN", folder, "is not the folder of an evaluation.", f"It has no {IDENTITY}.")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def read_recorded_suites(folder: Path) -> list[Suite]:
    """Its suites with all problems it was asked for, without the data sets they came from."""
    found = []
    for name, node in read_evaluation_identity(folder)["suites"].items():
        problems = tuple(problem for source, problem in _read_problems_file(folder) if source == name)
        found.append(Suite(name, problems, protocol_from_record(node["protocol"]), tuple(node["ks"]), node["problems"]))
    return found


def write_evaluation_summary(place: Path, identity: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    """Write summary.json of an evaluation; its content."""
    summary = {"kind": "evaluation", **identity["model"], "seed": identity["seed"], "suites": dict(figures)}
    atomic_files.write_json_atomically(place / "summary.json", summary)
    return summary
