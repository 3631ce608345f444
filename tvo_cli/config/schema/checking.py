"""A composed config against its declaration: the first thing that cannot be, in one line, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from tvo_cli import redaction
from tvo_cli.config.building import targets
from tvo_cli.config.describing import nearest
from tvo_cli.config.overrides import key_paths, split_override
from tvo_cli.config.resolving import plain
from tvo_cli.config.schema import keywords, locating
from tvo_cli.config.schema.field_traversal import declared, dotted, field_at, fits, is_built, of_field, places
from tvo_cli.config.schema.kinds import BUILT, Keys
from tvo_cli.config.schema.phrases import choices, of_key, phrase, remedy, shown
from tvo_cli.config.schema.roots import ROOTS, STAND_INS
from tvo_cli.errors import UserError

UNKNOWN, ABSENT = "extra_forbidden", "missing"
ORDER = {UNKNOWN: 0, ABSENT: 2}  # a mistyped key explains a missing one


class Given(NamedTuple):
    """What a config was composed from, to say where a wrong key stands."""

    overrides: Sequence[str] = ()
    folders: Sequence[Path] = ()  # of yamls, besides our own


NOTHING = Given()


def check(config: Any, root: str, given: Given = NOTHING, tree: dict[str, Any] | None = None) -> None:
    """Raise UserError for the first key that is not declared, lacks, or holds what it cannot.

    `root`: train, eval, sft, variance. `tree`: the config with every interpolation resolved, where a caller has it.
    """
    model = ROOTS[root]
    tree = resolved(config, root, given.overrides) if tree is None else tree
    _check_command_has_groups(tree, root)
    _open(tree)
    found = list(places(model, tree))
    built = {dotted(place.path): place.value for place in found if place.mark == BUILT}
    for key, target in targets(tree):
        if not any(key.startswith(f"{place}.") for place in built):
            raise _nothing_builds(key, target, model, given)
    _validate(model, tree, given)
    typed = {split_override(word)[0] for word in given.overrides}
    for place, node in built.items():
        keywords.check(place, node, typed)


def resolved(config: Any, root: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The config as a plain tree without Hydra's node; what only its sessions know stands in for itself."""
    from omegaconf import OmegaConf

    stand_in = STAND_INS.get(root, {})
    joined = OmegaConf.merge(OmegaConf.create(stand_in), config) if stand_in else config
    return {key: value for key, value in plain(joined, overrides).items() if key not in {"hydra", *stand_in}}


def _check_command_has_groups(tree: Mapping[str, Any], root: str) -> None:
    """What belongs to `tvo eval`: suites, and engines whose log-probabilities are not the trainer's."""
    suites = tree.get("evaluation", {}).get("suites") if root == "train" else None
    if suites is not None:
        remedy_ = "In a run: default, greedy, quick, off. After it: tvo eval model.path=RUN evaluation=…"
        raise UserError("evaluation", "+".join(suites), "is a suite of `tvo eval`.", remedy_)
    rollout = tree.get("rollout", {})
    if rollout.get("engine") and root in ("train", "sft"):
        remedy_ = "Training has its own loop: rollout=default, small or large."
        raise UserError("rollout", rollout["engine"], "is an engine of `tvo eval`.", remedy_)
    if "options" in rollout and not rollout.get("engine"):
        raise UserError(
            "rollout.options", shown(rollout["options"]), "are read by an engine only.", "Take rollout=vllm."
        )


def _open(tree: Mapping[str, Any], path: str = "") -> None:
    """A key that a yaml leaves to the command line: `???`."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            _open(value, f"{path}{name}.")
        elif value == "???":
            raise not_given(f"{path}{name}")


def is_declared(key: str) -> bool:
    """Whether some command has this key."""
    return any(dotted(path) == key for root in ROOTS.values() for path, _ in declared(root))


def _meaning(key: str) -> str:
    """What the declaration says of a key."""
    fields = (field for root in ROOTS.values() for path, field in declared(root) if dotted(path) == key)
    return next((field.description or "" for field in fields), "")


def missing(key: str, overrides: Sequence[str]) -> UserError:
    """A key that is needed and not there: taken away by the command line, or never written."""
    taken = (split_override(word)[0] for word in overrides if word.startswith("~"))
    away = next((one for one in taken if f"{key}.".startswith(f"{one}.")), "")
    meaning = _meaning(key)
    remedy_ = f"It is needed ({meaning}). Leave out ~{away}" if away else f"Add it: +{key}=… ({meaning})"
    return UserError(key, "", "is missing.", remedy_)


def not_given(key: str) -> UserError:
    """A key without which nothing can begin; the declaration says what it is."""
    meaning = _meaning(key)
    said = f"Set {meaning if meaning.startswith(f'{key}=') else f'{key}=… ({meaning})' if meaning else f'{key}=…'}."
    return UserError(key, "???", "must be given.", said)


def _validate(model: type[Keys], tree: Mapping[str, Any], given: Given) -> None:
    try:
        model.model_validate(tree)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda one: _rank(one, tree, given))
        raise _refusal(model, tree, first, given) from error


def _rank(error: Mapping[str, Any], tree: Mapping[str, Any], given: Given) -> tuple[int, bool]:
    """Which error is told first: of equal ones that of a key which was typed, for others may take its value."""
    place = dotted(tuple(_followed(tree, error["loc"], absent=error["type"] == ABSENT)))
    typed = any(f"{place}.".startswith(f"{split_override(word)[0]}.") for word in given.overrides)
    return ORDER.get(error["type"], 1), not typed


def _refusal(model: type[Keys], tree: Mapping[str, Any], error: Mapping[str, Any], given: Given) -> UserError:
    path = tuple(_followed(tree, error["loc"], absent=error["type"] == ABSENT))
    if error["type"] == UNKNOWN:
        return _unknown(model, tree, path, given)
    if error["type"].startswith("union_tag"):
        kinds = error["ctx"].get("expected_tags", "").replace("'", "")
        return UserError(f"{dotted(path)}.kind", shown(error["input"].get("kind")), "not a choice.", f"Choose {kinds}.")
    known = field_at(model, tree, path)
    path = known[0] if known else path
    key, value = dotted(path), _at(tree, path)
    if error["type"] == ABSENT or value is _LACKING:
        return missing(key, given.overrides)
    return _wrong(key, value, of_key(known[1]) if known else {}, given)


def _wrong(key: str, value: Any, schema: dict[str, Any], given: Given) -> UserError:
    offered = choices(schema)
    where = locating.where(key, given.overrides, given.folders)
    if offered:
        return UserError(key, shown(value), f"not a choice{where}.", f"Choose {', '.join(offered)}.")
    return UserError(key, shown(value), f"must be {phrase(schema)}{where}.", remedy(key, value, schema))


def _unknown(model: type[Keys], tree: Mapping[str, Any], path: Sequence[str | int], given: Given) -> UserError:
    key, value = dotted(path), _at(tree, path)
    where = locating.where(key, given.overrides, given.folders)
    hidden = redaction.masked({str(path[-1]): value})[str(path[-1])]
    if path[0] == "experiment":
        advice = "A file of conf/experiment begins with the line: # @package _global_"
    else:
        advice = nearest(key, known_keys(model, tree)) or _beside(model, tree, path)
    return UserError(key, shown(hidden), f"there is no such key{where}.", advice)


def known_keys(model: type[Keys], tree: Mapping[str, Any]) -> list[str]:
    """The keys that this config may have: those that it has by right, and the optional ones beside them."""
    return sorted({*_optional(model, tree), *(key for key in key_paths(tree) if _is_declared(model, tree, key))})


def possible_keys(config: Any, root: str) -> list[str]:
    """The keys that a composed config may have, whatever still has to be given."""
    try:
        return known_keys(ROOTS[root], resolved(config, root))
    except (KeyError, UserError):  # a root of somebody else's; an interpolation that leads to a key without a value
        return list(key_paths(config))


def _is_declared(model: type[Keys], tree: Mapping[str, Any], key: str) -> bool:
    path = tuple(key.split("."))
    found = field_at(model, tree, path)
    return found is not None and (found[0] == path or is_built(found[1]))


def _optional(model: type[Keys], tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for annotation, _ in of_field(field):
            value = tree.get(name)
            if isinstance(annotation, type) and issubclass(annotation, Keys) and fits(annotation, value):
                yield from _optional(annotation, value or {}, f"{prefix}{name}.")


def _beside(model: type[Keys], tree: Mapping[str, Any], path: Sequence[str | int]) -> str:
    """The keys of the same group."""
    group = dotted(path[:-1])
    prefix = f"{group}." if group else ""
    ends = [key.removeprefix(prefix) for key in known_keys(model, tree) if key.startswith(prefix)]
    shown_keys = ", ".join(sorted({end for end in ends if "." not in end}))
    return f"{group} has: {shown_keys}." if group else f"There are: {shown_keys}."


def _nothing_builds(key: str, target: object, model: type[Keys], given: Given) -> UserError:
    where = locating.where(key, given.overrides, given.folders)
    problem = f"nothing is built there, so it would have no effect{where}."
    nodes = sorted({dotted(path).replace("*", "NAME") for path, field in declared(model) if is_built(field)})
    return UserError(key, target, problem, f"A _target_ may stand in: {', '.join(nodes) or 'no key of this command'}.")


_LACKING = object()


def _followed(tree: Any, location: Sequence[str | int], *, absent: bool) -> Iterator[str | int]:
    """The part of pydantic's location that is a path: it names the branches of unions too."""
    for place, step in enumerate(location):
        below = _at(tree, (step,))
        if below is not _LACKING:
            tree = below
            yield step
        elif absent and place == len(location) - 1:
            yield step


def _at(tree: Any, path: Sequence[Any]) -> Any:
    """What stands at a path."""
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return _LACKING
    return tree
