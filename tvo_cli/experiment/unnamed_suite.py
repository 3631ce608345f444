"""The suite of `tvo eval` where none is named: `heldout` of a run on other data than the default's; without torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tvo_cli.config import resolved_tree, split_override
from tvo_cli.config.default_suite import DEFAULT_SUITE, HELDOUT_SUITE, is_run_of_default_suite
from tvo_cli.config.overrides import shell_override
from tvo_cli.experiment.run_of_policy import recorded_config_of_policy

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.experiment.automatic_settings import Tell


def name_heldout_suite(words: Sequence[str], tell: Tell) -> list[str]:
    """The words of `tvo eval`; where they name no suite and a run on other data than the default suite's, `heldout`.

    The jobs of a sweep may be of other models too: they keep the default suite, and a line is told of each run.
    """
    keys = {split_override(word)[0] for word in words}
    if any(key == "evaluation" or key.startswith("evaluation.suites") for key in keys):
        return list(words)
    others = {path: run for path in _model_paths_of_words(words) if (run := _run_on_other_data(path)) is not None}
    if {"-m", "--multirun"} & set(words):
        for path, recorded in others.items():
            tell(_note_on_other_data(DEFAULT_SUITE, path, recorded))
        return list(words)
    for recorded in others.values():
        tell(f"no suite is named: evaluation={HELDOUT_SUITE}, what the run held out of {_data_of(recorded)}")
    return [*words, *([f"evaluation=[{HELDOUT_SUITE}]"] if others else [])]


def notes_on_unnamed_suite(config: DictConfig, recorded: Any | None, given: Collection[str]) -> Iterator[str]:
    """Say that the default suite is not the run's own data, and how these are evaluated, where no suite is named."""
    if recorded is not None and "evaluation" not in given and not is_run_of_default_suite(resolved_tree(recorded)):
        yield _note_on_other_data("+".join(config.evaluation.suites), str(config.model.path), recorded)


def _note_on_other_data(suites: str, path: str, recorded: Any) -> str:
    """The note where no suite was named and the default one is other data than the run's."""
    command = f"tvo eval {shell_override('model.path', path)} evaluation={HELDOUT_SUITE}"
    return f"{suites} is not what {path} was trained on, {_data_of(recorded)}; what it held out: {command}"


def _run_on_other_data(path: str) -> Any | None:
    """The recorded config of the run at a path, where its data are not the default suite's."""
    recorded = recorded_config_of_policy(path)
    return None if recorded is None or is_run_of_default_suite(resolved_tree(recorded)) else recorded


def _model_paths_of_words(words: Sequence[str]) -> list[str]:
    """The paths of the models that a command line names, unquoted: several in a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    named = [word for word in words if split_override(word)[0] == "model.path"]
    try:
        parsed = OverridesParser.create().parse_overrides(named)[-1:]
    except OverrideParseException:  # said where the command is composed
        return []
    values = [value for one in parsed for value in (one.sweep_iterator() if one.is_sweep_override() else [one.value()])]
    texts = [getattr(value, "text", value) for value in values]  # of a sweep, Hydra leaves quoted texts as they are
    return [text for text in texts if isinstance(text, str)]


def _data_of(recorded: Any) -> str:
    """The data set of the run whose policy is evaluated without a named suite."""
    data = recorded.dataset
    return " ".join(str(part) for part in (data.name, data.get("test_path") or data.get("path")) if part)
