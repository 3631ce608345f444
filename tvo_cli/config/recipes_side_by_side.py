"""Two whole recipes in one defaults list: refused where one takes a piece, or the passes, of the other's away.

A recipe's own keys are those in which it differs from GRPO. A recipe that stands on another one of the list may change
it; so may a yaml that starts from both, by stating the key itself. Only yamls are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from tvo_cli.config.choices_taken import choices_of_words, choices_taken
from tvo_cli.config.defaults_list import choices_of_defaults
from tvo_cli.config.overrides import split_override
from tvo_cli.config.recipe_yamls import GROUP, MISSING, PASSES, PLAIN, RecipeYamls, Tree, flat_keys, value_at
from tvo_cli.config.search_path import config_folders
from tvo_cli.errors import UserError

TARGET = "._target_"


class TakenKey(NamedTuple):
    """A key of one recipe that has the value of another in what was composed of both."""

    key: str
    value: Any
    loser: str
    winner: str


def check_recipes_side_by_side(config: Any, words: Sequence[str]) -> None:
    """Refuse an algorithm that starts from whole recipes of which one has lost what makes it that method.

    `words`: those of the command, which choose the algorithm and may state keys.

    Raises:
        UserError: names both recipes, the key, and the defaults list that has both.
    """
    recipes = RecipeYamls(config_folders())
    taken = choices_taken(words, "", recipes.folders)
    for place, names in _lists_of_several_recipes(taken, words, recipes):
        from omegaconf import OmegaConf

        tree: Any = OmegaConf.to_container(config, resolve=False)
        meant = _keys_stated_elsewhere(names, taken, words, recipes)
        found = [*taken_keys(tree, names, recipes), *leftover_keys(tree, names, recipes)]
        if lost := [one for one in found if not any(f"{one.key}.".startswith(f"{key}.") for key in meant)]:
            raise refusal(lost[0], place, recipes)


def _lists_of_several_recipes(
    taken: Mapping[tuple[str, str], Tree], words: Sequence[str], recipes: RecipeYamls
) -> Iterator[tuple[str, list[str]]]:
    """Yield where a defaults list stands, or `algorithm=[a,b]`, and the whole recipes in it."""
    lists = [(word, choices_of_words([word])[GROUP]) for word in words if word.startswith(f"{GROUP}=[")]
    for (group, name), tree in taken.items():
        entries = [entry for of, entry in choices_of_defaults(tree.get("defaults"), group) if of == GROUP]
        lists.append((f"{group}={name}", entries))
    for place, entries in lists:
        named = [name for name in dict.fromkeys(entries) if not name.startswith("_")]
        if len(named) > 1 and len(whole := [name for name in named if recipes.is_whole(name)]) > 1:
            yield place, whole


def _keys_stated_elsewhere(
    names: Sequence[str], taken: Mapping[tuple[str, str], Tree], words: Sequence[str], recipes: RecipeYamls
) -> set[str]:
    """Return the keys that the command or a yaml besides these recipes states: those are meant."""
    of_recipes = {(GROUP, file) for name in names for file in recipes.files(name)}
    stated = {key for choice, tree in taken.items() if choice not in of_recipes for key in flat_keys(tree)}
    return stated | {key for word in words if "." in (key := split_override(word)[0].lstrip("+~"))}


def taken_keys(tree: Tree, names: Sequence[str], recipes: RecipeYamls) -> list[TakenKey]:
    """Return the own keys of recipes that have a value of another's in what was composed of them, pieces first.

    A recipe may change the one that it stands on. The value may be of a yaml that the other stands on: Hydra joins a
    yaml that two recipes share, the second time, as it has become.
    """
    found = [
        TakenKey(key, now, loser, winner)
        for loser, winner in permutations(names, 2)
        if loser not in recipes.files(winner)
        for key, own in recipes.own_keys(loser).items()
        if (now := value_at(tree, key)) is not MISSING and now != own
        if now in [value_at(recipes.stated(file), key) for file in recipes.files(winner)]
    ]
    return sorted(found, key=lambda one: (not one.key.endswith(TARGET), one.key not in PASSES))


def leftover_keys(tree: Tree, names: Sequence[str], recipes: RecipeYamls) -> list[TakenKey]:
    """Return the keys of one recipe's pieces that are left over in another's piece of the same place."""
    found = []
    for one, other in permutations(names, 2):
        for key, target in recipes.keys(one).items():
            path, _, last = key.rpartition(".")
            theirs = value_at(recipes.composed(other), path)
            differs = last == "_target_" and value_at(tree, key) == target and isinstance(theirs, Mapping)
            if differs and theirs.get("_target_", target) != target:
                more = set(theirs) & set(value_at(tree, path)) - set(value_at(recipes.composed(one), path))
                found += [TakenKey(f"{path}.{name}", theirs[name], one, other) for name in sorted(more)]
    return found


def refusal(lost: TakenKey, place: str, recipes: RecipeYamls) -> UserError:
    """Return the refusal of two whole recipes, with the defaults list that holds both methods where there is one."""
    loser, winner, is_own = lost.loser, lost.winner, lost.key in recipes.own_keys(lost.loser)
    whose = "its own" if recipes.keys(winner).get(lost.key) == lost.value else "that of what it stands on"
    whose = whose if lost.key in recipes.own_keys(winner) else "GRPO's"
    value = recipes.own_keys(loser).get(lost.key)
    own = f"rollout's, which {loser} takes" if value is MISSING else f"{loser}'s {value}"
    piece = value_at(recipes.composed(loser), f"{lost.key.rpartition('.')[0]}{TARGET}")
    said = f"puts {whose} in the place of {own}" if is_own else f"leaves {whose} over in {piece}"
    problem = f"{place} starts from {loser} and {winner}, two whole recipes, and {winner} {said}."
    written = list_with_part(loser, winner, recipes)
    remedy = f"Write defaults: {written}" if written else "Start from one of them, and parts (_NAME) of the other"
    meant = f", or state {lost.key} there as you mean it" if is_own else ""
    return UserError(lost.key, lost.value, problem, f"{remedy}{meant}.")


def list_with_part(one: str, another: str, recipes: RecipeYamls) -> str:
    """Return the defaults list that holds one of two recipes and the other's part; "" where no part does."""
    for base, other in ((one, another), (another, one)):
        part = next(filter(recipes.has, (f"_{other}", f"_{other.removeprefix(f'{PLAIN}_')}")), "")
        if part and keeps_both(base, other, part, recipes):
            entries = [base, *_emptied_before(base, part, recipes), part, "_self_"]
            return f"[{', '.join(entries)}]"
    return ""


def keeps_both(base: str, other: str, part: str, recipes: RecipeYamls) -> bool:
    """Return whether a recipe with another's part is both methods: its own keys stay, and the other's passes."""
    stated, others = recipes.keys(part), recipes.own_keys(other)
    has_passes = all(value_at(recipes.composed(base), key) == others[key] for key in PASSES if key in others)
    return has_passes and all(stated.get(key, own) == own for key, own in recipes.own_keys(base).items())


def _emptied_before(base: str, part: str, recipes: RecipeYamls) -> list[str]:
    """Return the `_no_…` that a part needs in front: for pieces of the base that have other keys than the part's."""
    whole, piece = recipes.composed(base), recipes.composed(part)
    paths = [key.removesuffix(TARGET) for key in recipes.keys(part) if key.endswith(TARGET)]
    leftover = [path for path in paths if _has_other_keys(value_at(whole, path), value_at(piece, path))]
    return list(filter(recipes.has, (f"_no_{path.rpartition('.')[2]}" for path in leftover)))


def _has_other_keys(before: Any, after: Tree) -> bool:
    """Return whether keys of a piece would be left over beside another one's."""
    replaced = isinstance(before, Mapping) and before.get("_target_") != after["_target_"]
    return replaced and bool(set(before) - set(after))
