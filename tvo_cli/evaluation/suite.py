"""Suites: which problems, under which protocol; read from an evaluation's config, checked, cut to what is asked."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import data
from tvo_cli.errors import UserError
from tvo_cli.evaluation.protocol import (
    Protocol,
    fill_protocol_template,
    protocol_ks_of_pass_at_k,
    protocol_template_fields,
    resolve_protocol,
)
from tvo_cli.evaluation.strategy_choice import ChosenStrategy
from tvo_cli.reward.grader_version import grader_version
from tvo_cli.types import Problem

log = logging.getLogger("tvo")


@dataclass(frozen=True, slots=True)
class Suite:
    """Problems in their order, and how they are asked, sampled and judged."""

    name: str
    problems: tuple[Problem, ...]
    protocol: Protocol
    ks: tuple[int, ...]  # of pass@k
    fingerprint: str  # sha256 of the ids, questions and answers of the whole suite, whatever part is asked
    strategies: Mapping[str, ChosenStrategy] = field(default_factory=dict)  # by problem; none: the protocol for all


def load_suites(config: Any) -> list[Suite]:
    """The suites of an evaluation, in the order of their names in the command."""
    tree = configuration.resolved_tree(config)
    node = tree["evaluation"]
    if not node.get("suites"):
        remedy = f"Choose one: {', '.join(suite_names())}."
        raise UserError("evaluation", node.get("suites"), "names no suite.", remedy)
    suites = [_load_suite(name, suite, tree) for name, suite in node["suites"].items()]
    _check_problem_ids(node.get("ids"), suites)
    return [chosen for suite in suites if (chosen := _limited_suite(suite, node)).problems]


def suite_names() -> list[str]:
    """The names of suites that `evaluation=` offers to `tvo eval`."""
    paths = {
        name: configuration.choice_path("evaluation", name) for name in configuration.choices_of_group("evaluation")
    }
    return [name for name, path in paths.items() if "evaluation.suites." in path.read_text("utf-8")]


def _load_suite(name: str, node: Mapping[str, Any], tree: Mapping[str, Any]) -> Suite:
    keywords = tree["model"]["prompt"].get("chat_template_kwargs") or {}
    grader = grader_version(tree["reward"], [node["dataset"].get("scorer")])
    protocol = resolve_protocol(node, tree["protocol"], tree["decoding"], grader, keywords)
    if keywords and protocol.template == "plain":
        log.warning("%s: the prompt of protocol %s is plain, chat_template_kwargs are not used", name, protocol.name)
    problems = problems_of_suite(name, node, tree)
    wanted = tree["protocol"].get("shots") or node["protocol"].get("shots")
    protocol = replace(protocol, shots=_few_shot_examples_of_suite(wanted, tree.get("data_dir")))
    wanted_ks = protocol_ks_of_pass_at_k(protocol.decoding.samples, tree["evaluation"].get("pass_at"))
    return Suite(name, problems, protocol, wanted_ks, suite_fingerprint(problems))


def problems_of_suite(name: str, node: Mapping[str, Any], tree: Mapping[str, Any]) -> tuple[Problem, ...]:
    """The problems of one suite of an evaluation's resolved config; errors name the keys that `tvo eval` has."""
    local = _local_copy_of_dataset(node["dataset"], name, tree.get("data_dir"))
    try:
        return read_suite_problems(local, node.get("problems"), tree["evaluation"])
    except UserError as error:
        raise _with_suite_keys(error, name, is_own_file=name == "jsonl") from error


def _with_suite_keys(error: UserError, name: str, *, is_own_file: bool) -> UserError:
    """An error of a data set with the keys that `tvo eval` has: a data set knows those of a run only."""

    def renamed(text: str) -> str:
        if is_own_file:
            text = re.sub(r"\bdataset\.(test_)?path\b", "path", text)
        return re.sub(r"(?<![\w.])dataset\.(?=[a-z])", f"evaluation.suites.{name}.dataset.", text)

    return UserError(renamed(error.key), error.value, renamed(error.problem), renamed(error.remedy))


def read_suite_problems(
    node: Mapping[str, Any], count: int | None, evaluation: Mapping[str, Any]
) -> tuple[Problem, ...]:
    """The test split of a data set; of one without end, the first `count` problems."""
    found = data.load(node, split="test", seed=int(evaluation["seed"]))
    size = found.size if count is None else count if found.size is None else min(count, found.size)
    if size is None:
        raise UserError("evaluation.suites", node["name"], "the data have no end.", "Say how many: problems: 256.")
    return tuple(found.problem(index) for index in range(size))


def _local_copy_of_dataset(node: Mapping[str, Any], name: str, folder: str | None) -> Mapping[str, Any]:
    """The data set, or its copy FOLDER/<suite>.jsonl where a folder of copies is named."""
    if not folder or node["kind"] != "hub":
        return node
    places = [Path(folder).expanduser() / f"{name}{end}.jsonl" for end in ("", "_test")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise UserError("data_dir", folder, f"holds no {name}.jsonl.", "Put the suite's problems there, one a line.")
    return dict(node) | {"kind": "jsonl", "path": str(path), "test_path": str(path), "columns": {}}


def _few_shot_examples_of_suite(node: Mapping[str, Any] | None, folder: str | None) -> tuple[str, ...]:
    """A suite's worked examples, found by the sha256 of their question: published texts are not copied here."""
    if not node:
        return ()
    chosen = configuration.compose([f"dataset={node['dataset']}"]).dataset
    local = _local_copy_of_dataset(configuration.resolved_tree(chosen), f"{node['dataset']}_{node['split']}", folder)
    split = "train" if folder is None else "test"  # a local copy holds one split
    found = data.load(local, split=split, seed=0)
    known = {few_shot_question_fingerprint(p.question): p for p in map(found.problem, range(found.size or 0))}
    missing = [digest for digest in node["questions"] if digest not in known]
    if missing:
        raise UserError("protocol.shots", missing[0], f"no such question among {found.size} of {node['dataset']}.")
    return tuple(_few_shot_example_of_suite(node["form"], known[digest]) for digest in node["questions"])


def few_shot_question_fingerprint(question: str) -> str:
    """By which a suite finds its few-shot examples: sha256 of a question, white space made one, first 16 letters."""
    return hashlib.sha256(" ".join(question.split()).encode()).hexdigest()[:16]


def _few_shot_example_of_suite(form: str, problem: Problem) -> str:
    """A worked example of a suite's few-shot prompt: a problem in the protocol's form, with its solution."""
    worked = {"solution": str(problem.metadata.get("solution", "")), "answer": problem.answer}
    return fill_protocol_template(form, protocol_template_fields(problem) | worked)


def suite_fingerprint(problems: Sequence[Problem]) -> str:
    """sha256 over ids, questions and answers, in order."""
    digest = hashlib.sha256()
    for problem in problems:
        turns = [f"{role}\x1d{text}" for role, text in problem.turns]
        digest.update("\x1f".join((problem.id, problem.question, problem.answer, *turns)).encode() + b"\x1e")
    return digest.hexdigest()


def fingerprint_of_answered(suite: Suite, ids: Set[str]) -> str:
    """The fingerprint of the problems that were answered: the suite's when that is all of it, in its order."""
    found = [problem for problem in suite.problems if problem.id in ids]
    whole = suite_fingerprint(found)
    return whole if whole == suite.fingerprint else suite_fingerprint(sorted(found, key=lambda problem: problem.id))


def _check_problem_ids(ids: Sequence[str] | None, suites: Sequence[Suite]) -> None:
    """Refuse a problem id of evaluation.ids that no suite has."""
    known = {problem.id for suite in suites for problem in suite.problems}
    for name in ids or ():
        if str(name) not in known:
            near = configuration.nearest_names(str(name), known) or f"An id is {min(known)}, for example."
            raise UserError("evaluation.ids", name, "no problem has this id.", near)


def _limited_suite(suite: Suite, node: Mapping[str, Any]) -> Suite:
    """Only the wanted ids, and not more than the limit."""
    wanted, limit = node.get("ids"), node.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise UserError("evaluation.limit", limit, "must be a whole number, more than 0.")
    kept = [p for p in suite.problems if wanted is None or p.id in set(map(str, wanted))]
    return replace(suite, problems=tuple(kept[:limit]))
