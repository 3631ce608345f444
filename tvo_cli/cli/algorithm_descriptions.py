"""Descriptions of the algorithms, from their yaml and the docstrings it names, read without importing torch."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tvo_cli import config
from tvo_cli.config.target_signatures import target_docstring

PACKAGE = Path(config.__file__).parents[1]
FIDELITY = re.compile(r"^Fidelity:\s*(.+?)\s*(?:\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
WEAKEST_FIRST = ("notes", "paper", "official code")


class AlgorithmDescription(NamedTuple):
    """The description of one algorithm: what it is, how faithful it is to its paper, where its source is."""

    name: str
    about: config.ChoiceDescription
    fidelity: str  # "official code", "paper" or "notes", then what deviates, in brackets
    source: str  # the file of its own mathematics, from the package's parent; "" when it brings none


def describe_algorithms() -> list[AlgorithmDescription]:
    """Return the description of every algorithm of conf/algorithm."""
    return [describe_algorithm(name) for name in config.choices_of_group("algorithm")]


def describe_algorithm(name: str) -> AlgorithmDescription:
    """Return the description of one algorithm."""
    methods = [found for found in algorithm_targets(name) if _is_method(found)]
    source = str(Path(*methods[0].split(".")[:-1]).with_suffix(".py")) if methods else ""
    about = config.parse_choice_comment(config.choice_comment("algorithm", name))
    return AlgorithmDescription(name, about, algorithm_fidelity(name), source)


def algorithm_fidelity(name: str) -> str:
    """Return the weakest `Fidelity:` of an algorithm's pieces; "as BASE" without any."""
    found = fidelities_of_pieces(name)
    if found:
        return next(iter(found.values()))
    bases = [base for base in _defaults_of_algorithm_yaml(name) if not base.startswith("_")]
    return f"as {bases[0]}" if bases else ""


def fidelities_of_pieces(name: str) -> dict[str, str]:
    """Return the `Fidelity:` of the pieces that the algorithm's yaml and the part of its name, else its parts, name.

    By piece, the weakest first: notes before paper before official code; of equal ones a method's own. Where the parts
    bring a method of their own, what every algorithm has beside it says nothing of this one.
    """
    files = _algorithm_files(name)
    found = [one for file in files if file in (name, f"_{name}") for one in _stated_fidelities(file)]
    if not found:
        found = [one for file in files for one in _stated_fidelities(file)]
        found = [one for one in found if _is_method(one[0])] or found
    found.sort(key=lambda one: (WEAKEST_FIRST.index(fidelity_grade(one[1])), not _is_method(one[0])))
    return {target.rpartition(".")[2]: text for target, text in found}


def _stated_fidelities(file: str) -> Iterator[tuple[str, str]]:
    """Yield each target of a yaml whose docstring states its fidelity, and that fidelity."""
    for target in _targets_of_algorithm_yaml(file):
        if fidelity := stated_fidelity(target):
            yield target, fidelity


def stated_fidelity(target: str) -> str:
    """Return the `Fidelity:` of what a dotted name leads to; "" where its docstring states none."""
    match = FIDELITY.search(inspect.cleandoc(target_docstring(target)))
    return " ".join(match.group(1).split()) if match else ""


def _is_method(target: str) -> bool:
    return target.startswith("tvo_cli.methods.")


def fidelity_grade(text: str) -> str:
    """Return the first words of a `Fidelity:`: notes, paper or official code; else the text itself ("as BASE")."""
    return next((word for word in WEAKEST_FIRST if text.startswith(word)), text)


def algorithm_targets(name: str) -> list[str]:
    """Return the `_target_`s of an algorithm's yaml and of the parts (`_…`) it includes, its own first."""
    return [target for file in _algorithm_files(name) for target in _targets_of_algorithm_yaml(file)]


def _algorithm_files(name: str) -> list[str]:
    """Return an algorithm's yaml and the parts it includes, without what every algorithm starts from."""
    return [
        name,
        *(
            part
            for part in _defaults_of_algorithm_yaml(name)
            if part.startswith("_") and part not in ("_base", "_self_")
        ),
    ]


def _targets_of_algorithm_yaml(name: str) -> list[str]:
    return [str(target) for _, target in config.targets_in_tree(_read_algorithm_yaml(name))]


def _algorithm_yaml_path(name: str) -> Path:
    return config.choice_path("algorithm", name)


def _read_algorithm_yaml(name: str) -> Any:
    import yaml

    return yaml.safe_load(_algorithm_yaml_path(name).read_text(encoding="utf-8"))


def _defaults_of_algorithm_yaml(name: str) -> list[str]:
    return [str(entry) for entry in _read_algorithm_yaml(name).get("defaults", [])]
