"""The recipes of conf/algorithm and of the user's folders, read from their yamls: what each is made of and states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tvo_cli.config.choices import yaml_of_choice
from tvo_cli.config.defaults_list import choices_of_defaults, read_yaml
from tvo_cli.config.groups import conf_dir
from tvo_cli.config.search_path import ConfigFolder

GROUP = "algorithm"
PLAIN = "grpo"  # what the others are differences of
NAME = "algorithm.name"
PASSES = ("rollout.epochs", "rollout.minibatches")  # of a recipe that states none: those of the rollout's yaml
MISSING = object()  # of a key that a tree does not have
Tree = Mapping[str, Any]


class RecipeYamls:
    """The recipes that the folders of a command have; each is read once."""

    def __init__(self, folders: Sequence[ConfigFolder]) -> None:
        self.folders = folders
        self._stated: dict[str, Tree] = {}
        self._composed: dict[str, Tree] = {}
        self._keys: dict[str, dict[str, Any]] = {}
        self._own: dict[str, dict[str, Any]] = {}
        self._files: dict[str, list[str]] = {}

    def has(self, name: str) -> bool:
        """Return whether there is such a yaml."""
        return yaml_of_choice(self.folders, GROUP, name) is not None

    def is_whole(self, name: str) -> bool:
        """Return whether a yaml can be run as it is, and is no part: it has an estimator and a surrogate."""
        pieces = ("algorithm.estimator", "algorithm.objective.surrogate")
        return all(isinstance(value_at(self.composed(name), piece), Mapping) for piece in pieces)

    def own_keys(self, name: str) -> dict[str, Any]:
        """Return the keys in which a recipe differs from GRPO, with its values; passes of rollout are `MISSING`."""
        if name not in self._own:
            plain, keys = self._plain(), dict.fromkeys(PASSES, MISSING) | self.keys(name)
            self._own[name] = {k: own for k, own in keys.items() if k != NAME and value_at(plain, k) != own}
        return self._own[name]

    def _plain(self) -> Tree:
        """Return GRPO as this package has it, whatever the user's folders have under its name."""
        return RecipeYamls([ConfigFolder(conf_dir(), "tvo")]).composed(PLAIN)

    def keys(self, name: str) -> dict[str, Any]:
        """Return the values of a composed recipe by their dotted keys."""
        if name not in self._keys:
            self._keys[name] = flat_keys(self.composed(name))
        return self._keys[name]

    def composed(self, name: str) -> Tree:
        """Return what a recipe's yaml and those that it stands on state together."""
        from omegaconf import OmegaConf

        if name not in self._composed:
            merged = OmegaConf.merge(*map(self.stated, self.files(name)))
            self._composed[name] = _plain_tree(OmegaConf.to_container(merged, resolve=False))
        return self._composed[name]

    def stated(self, name: str) -> Tree:
        """Return what one yaml states itself; nothing where there is none of that name."""
        from omegaconf import OmegaConf

        if name not in self._stated:
            path = yaml_of_choice(self.folders, GROUP, name)
            found = OmegaConf.to_container(OmegaConf.load(path), resolve=False) if path else {}
            self._stated[name] = _plain_tree(found)
        return self._stated[name]

    def files(self, name: str) -> list[str]:
        """Return the names of a recipe's yaml and of those that it stands on, in the order in which they are joined."""
        if name not in self._files:
            self._files[name] = [name]  # of one that names itself, which Hydra refuses
            path = yaml_of_choice(self.folders, GROUP, name)
            defaults = read_yaml(path).get("defaults") if path else None
            self._files[name] = list(self._joined(name, defaults if isinstance(defaults, list) else []))
        return self._files[name]

    def _joined(self, name: str, defaults: list[Any]) -> Iterator[str]:
        """Yield the names of the yamls that a defaults list joins."""
        for entry in defaults if "_self_" in defaults else [*defaults, "_self_"]:
            if entry == "_self_":
                yield name
            for group, base in choices_of_defaults([entry], GROUP):
                yield from self.files(base) if group == GROUP else ()


def _plain_tree(found: object) -> Tree:
    """Return what a yaml states besides its defaults list."""
    return {str(key): value for key, value in found.items() if key != "defaults"} if isinstance(found, dict) else {}


def flat_keys(tree: Tree, path: str = "") -> dict[str, Any]:
    """Return the values of a tree by their dotted keys."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flat_keys(value, f"{path}{name}.") if isinstance(value, Mapping) else {f"{path}{name}": value}
    return found


def value_at(tree: Tree, key: str) -> Any:
    """Return what a tree has at a dotted key, or at the start of it where that is no mapping: null has no keys."""
    found: Any = tree
    for name in key.split("."):
        if not isinstance(found, Mapping):
            return found
        if name not in found:
            return MISSING
        found = found[name]
    return found
