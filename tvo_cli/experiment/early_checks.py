"""Checks of a command before torch is loaded: settings that contradict each other, a model or a file that is not there.

The same functions are asked again where the parts are built; here they spare the wait for what is refused anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import data
from tvo_cli.config import resolved_tree
from tvo_cli.config.cross_key_checks import check_without_torch
from tvo_cli.config.default_suite import HELDOUT_SUITE
from tvo_cli.data.demonstration_sources import load_demonstrations
from tvo_cli.data.level_curriculum import stages_of
from tvo_cli.data.mixture import keys_of_source
from tvo_cli.errors import UserError
from tvo_cli.evaluation.suite import problems_of_suite
from tvo_cli.experiment.keys_of_data import keys_of_demonstrations, keys_of_test_set
from tvo_cli.model.model_files.model_location import model_location
from tvo_cli.runs.own_run_folders import SFT_RECORD
from tvo_cli.tracking.buffered_log import BufferedLog

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.data.problems import Problems

QUICK = 1 << 21  # bytes of a file: about a quarter of a second to read, where loading torch takes several
Load = Callable[[Mapping[str, Any], str], "Problems"]


def check_training_early(config: DictConfig) -> None:
    """Refuse a training run whose settings contradict each other, or whose model or files cannot be read."""
    check_without_torch(config)
    model_location(config.model)
    check_training_data_early(config)


def check_training_data_early(config: DictConfig) -> None:
    """Refuse a training run of whose data a file cannot be read, or cannot follow the curriculum."""
    seed, evaluation = int(config.seed), config.evaluation
    if config.curriculum.kind == "levels":
        stages_of(config.curriculum)
    with _notes_left_for_later():
        load = _problems_loader(seed, config.curriculum)
        _check_data(config.dataset, load, is_evaluated=bool(evaluation.problems))
        for name, node in (evaluation.test_sets or {}).items():
            with keys_of_test_set(str(name)):
                _check_split_early(node.dataset, "test", _problems_loader(int(evaluation.seed)))
        _check_demonstrations_of_run(config.algorithm.get("next_token"), seed)


def check_sft_early(config: DictConfig) -> None:
    """Refuse a fine-tuning whose model or demonstrations cannot be read; one that is done needs neither."""
    if (Path(config.output_dir) / SFT_RECORD).is_file():
        return
    model_location(config.model)
    with _notes_left_for_later():
        _check_split_early(config.dataset, "train", _demonstrations_loader(int(config.seed), config.append_answer))


def check_variance_early(config: DictConfig) -> None:
    """Refuse a measurement whose model is not there, or that has too few batches for a variance."""
    for key in ("batches", "true_batches"):
        if config[key] < 2:
            raise UserError(key, config[key], "one batch has no variance.", "Take 2 or more.")
    model_location(config.model)
    if config.behaviour:
        with said_of_behaviour():
            model_location(node_of_behaviour(config))


def node_of_behaviour(config: DictConfig) -> dict[str, Any]:
    """The policy that samples in `tvo variance`: the measured model's settings, of another path."""
    return {**dict(config.model), "path": config.behaviour, "revision": None, "checkpoint": "last"}


@contextmanager
def said_of_behaviour() -> Iterator[None]:
    """Inside: what is wrong with a model's path is said of the key that named this one."""
    try:
        yield
    except UserError as error:
        if error.key != "model.path":
            raise
        raise UserError("behaviour", error.value, error.problem, error.remedy) from error


def check_evaluation_early(config: DictConfig) -> None:
    """Refuse an evaluation whose model, or a file of whose suites, cannot be read."""
    model_location(config.model)
    tree = resolved_tree(config)
    with _notes_left_for_later():
        for name, suite in (tree["evaluation"].get("suites") or {}).items():  # heldout is filled from a run later
            if name != HELDOUT_SUITE and _is_quickly_read(suite["dataset"], "test"):
                problems_of_suite(name, suite, tree)


@contextmanager
def _notes_left_for_later() -> Iterator[None]:
    """Inside: nothing is said of what is odd about a file; it is said when the file is read to be used."""
    with BufferedLog() as held:
        yield
        held.forget()


def _check_demonstrations_of_run(chosen: Any, seed: int) -> None:
    """Refuse a file of demonstrations that cannot be read; those of the run's own data are in its own file."""
    if chosen and chosen.coefficient and chosen.data is not None:
        with keys_of_demonstrations(str(chosen.data.name)):
            _check_split_early(chosen.data, "train", _demonstrations_loader(seed, None))


def _check_data(node: Any, load: Load, *, is_evaluated: bool) -> None:
    """Refuse a data set, or a source of a mixture, whose file cannot be read."""
    for name, source in (node.get("sources") or {}).items():
        with keys_of_source(str(name)):
            _check_data(source, load, is_evaluated=is_evaluated)
    _check_split_early(node, "train", load)
    if is_evaluated and node.get("test_path"):
        _check_split_early(node, "test", load)


def _check_split_early(node: Any, split: str, load: Load) -> None:
    """Read a split before torch is loaded, where that is quick, so that what is wrong with it is refused early."""
    if _is_quickly_read(node, split):
        load(node, split)


def _is_quickly_read(node: Mapping[str, Any], split: str) -> bool:
    """Whether a split of a data set is a small file, or a file that is not named or not there, which is soon said."""
    if node["kind"] != "jsonl":
        return False
    named = (node.get("test_path") if split == "test" else None) or node.get("path") or ""
    path = Path(str(named)).expanduser()
    return not path.is_file() or path.stat().st_size <= QUICK


def _problems_loader(seed: int, curriculum: Mapping[str, Any] | None = None) -> Load:
    """What loads problems for the early check of a data set; those to learn from must follow the `curriculum`."""

    def load(node: Mapping[str, Any], split: str) -> Problems:
        problems = data.load(node, split=split, seed=seed)
        if curriculum is not None and split == "train":
            data.check_curriculum(problems, seed, curriculum)
        return problems

    return load


def _demonstrations_loader(seed: int, append_answer: str | None) -> Load:
    """What loads demonstrations for the early check of a data set."""
    return lambda node, split: load_demonstrations(node, split=split, seed=seed, append_answer=append_answer)
