"""Hydra's and OmegaConf's errors explained as one UserError that names key, value and remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvo_cli.config import groups, missing_choices
from tvo_cli.config.choices import choice_with_key, choices_of_group
from tvo_cli.config.defaults_errors import explain_defaults_error
from tvo_cli.config.evaluation_choices import GROUP, evaluation_choices
from tvo_cli.config.missing_choices import clause_on_plugins
from tvo_cli.config.mixture_sources import SOURCES, source_error
from tvo_cli.config.overrides import split_override
from tvo_cli.config.renamed_keys import RENAMED
from tvo_cli.errors import UserError, first_line_of_error
from tvo_cli.nearest_names import nearest_names
from tvo_cli.redaction import redacted_value

OF_PLUGINS = ("algorithm", "stability", "dataset")  # groups in which own code registers choices
PLUGINS = {"hydra/launcher": ("joblib", "submitit", "ray"), "hydra/sweeper": ("optuna",)}  # each an extra of its name


def explain_hydra_error(
    error: BaseException, overrides: Sequence[str] = (), root: str = "train", folder: Path | None = None
) -> UserError:
    """Return a Hydra or OmegaConf error as a UserError that names the key, the value and the nearest names."""
    from hydra.errors import (
        InstantiationException,
        MissingConfigException,
        OverrideParseException,
        SearchPathException,
    )

    if isinstance(error, OverrideParseException):
        if "=" not in str(error.override):
            return UserError(
                "override", error.override, "has no `=`.", _suggest_for_hydra_error(str(error.override), folder)
            )
        return _explain_unparsable_override(error, root)
    if isinstance(error, SearchPathException):
        place = re.search(r"'([^']+)'", str(error))
        return UserError("--config-dir", place.group(1) if place else "", "there is no such folder.")
    if folder is None and (found := explain_defaults_error(error, overrides, root)):
        return found
    if isinstance(error, MissingConfigException):
        return _explain_missing_choice(error, overrides, root, folder)
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, UserError):
        return error.__cause__
    return _explain_override_error(error, overrides, root, folder) or _explain_omegaconf_error(error, overrides, root)


def _explain_override_error(
    error: BaseException, overrides: Sequence[str], root: str, folder: Path | None
) -> UserError | None:
    """Explain an override that Hydra parses and cannot apply."""
    twice = re.match(r"Multiple values for ([\w/@.]+)\. ", str(error))
    if twice:
        value = dict(map(split_override, overrides)).get(twice.group(1), "")
        return UserError(twice.group(1), value, "has a value already.", f"Without the +: {twice.group(1)}={value}")
    if "elete" in str(error) or re.match(r"Error merging override ~", str(error)):
        return _explain_failed_deletion(error, overrides, root, folder)
    if found := _explain_list_for_group(error):
        return found
    unknown = re.match(r"Could not override '([^']+)'", str(error))
    if unknown:
        return _explain_unknown_key(unknown.group(1), overrides, root, folder)
    if re.match(r"Ambiguous value for argument|Sweep parameters", str(error)):
        swept = [word for word in overrides if re.search(r"=.*,|=(range|choice|interval|glob)\(", word)]
        return UserError(
            "override", " ".join(swept), "has several values.", f"Add -m for a run of each: tvo {root} -m …"
        )
    return None


def _explain_omegaconf_error(error: BaseException, overrides: Sequence[str], root: str) -> UserError:
    """Explain a missing value, or an interpolation that leads to none."""
    from omegaconf.errors import OmegaConfBaseException

    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    missing = re.search(r"Missing mandatory value: ([\w.-]+?)\.?(?:\s|$)", str(error))
    if missing:
        from tvo_cli.config.schema.validation_errors import key_not_given_error

        return key_not_given_error(missing.group(1))
    lost = _missing_interpolated_key(cause)
    if lost:
        from tvo_cli.config.schema import validation_errors

        return validation_errors.missing_key_error(lost, overrides)
    key = getattr(cause, "full_key", None) or "config"
    value = dict(map(split_override, overrides)).get(str(key), "???" if key != "config" else root)
    return UserError(str(key), value, first_line_of_error(error).rstrip(".") + ".")


def _explain_failed_deletion(
    error: BaseException, overrides: Sequence[str], root: str, folder: Path | None
) -> UserError | None:
    """Explain `~key` where Hydra finds nothing to delete, or cannot parse it."""
    named = re.search(r"'([^']+)'|override ~([\w./@-]+)", str(error))
    key = (named.group(1) or named.group(2)).lstrip("~") if named else ""
    if not any(word.startswith("~") and split_override(word)[0] == key for word in overrides):
        return None
    known = _keys_to_suggest(overrides, root, folder)
    if key not in known and key not in groups.config_groups(folder):
        return UserError(key, "", "there is no such key.", nearest_names(key, known))
    return UserError(key, "", "has no value here that could be deleted.", f"Leave out ~{key}")


def _explain_list_for_group(error: BaseException) -> UserError | None:
    """Explain a group of settings that stands where a list goes, or the other way round: in an override or a yaml."""
    told = f"{error}\n{error.__cause__ or ''}"
    if "Cannot merge DictConfig with ListConfig" not in told:
        return None
    named = re.match(r"Error merging override [+]{0,2}([\w.@/]+)=(.*)|In '([^']+)'", str(error))
    key, value, file = named.groups() if named else (None, None, None)
    if key is None or value is None:
        problem = "has a group of settings where a list goes, or the other way round."
        return UserError("config", file or "", problem, "A list of groups is written in brackets: [{KEY: VALUE}]")
    if value.startswith("["):
        return UserError(key, value, "is a list, and a group of settings goes there.", f"Set its keys: {key}.KEY=…")
    if "object_type=list" in told:
        return UserError(key, value, "is a group of settings, and a list goes there.", f"Write '{key}=[{value}]'")
    return UserError(key, value, "has a group of settings where a list goes.", "Write the list in brackets: [{…}]")


def _missing_interpolated_key(error: BaseException | None) -> str:
    """Return the declared key, or the group above it, that an interpolation leads to and that is missing."""
    from omegaconf import OmegaConf

    from tvo_cli.config.schema import known_keys

    while error is not None:
        found = re.search(r"Interpolation key '([\w.-]+)' not found", str(error))
        node = getattr(error, "parent_node", None)
        if found and node is not None and known_keys.is_declared_key(found.group(1)):
            parts = found.group(1).split(".")
            above = (".".join(parts[: n + 1]) for n in range(len(parts)))
            return next((one for one in above if OmegaConf.select(node._get_root(), one) is None), "")
        error = error.__cause__
    return ""


def _explain_unparsable_override(error: Any, root: str) -> UserError:
    """Explain an override that Hydra's grammar refuses: two settings in one, or characters that need quotes."""
    word = str(error.override)
    settings = _settings_in_one_word(word, root)
    if len(settings) > 1:
        remedy = f"Write a word for each: {' '.join(settings)}"
        return UserError("override", repr(word), f"holds {len(settings)} settings in one word.", remedy)
    key, value = word.split("=", 1)
    if key != key.rstrip():
        return UserError("override", repr(word), "has spaces around `=`.", f"Write {key.strip()}={value.strip()}")
    if value.startswith("~") and re.search(r"(path|dir|base)$", key):
        remedy = f"Write {key}={Path(value).expanduser()}"
        return UserError("override", word, "has a `~` that the shell leaves as it is.", remedy)
    if not re.fullmatch(r"[+~]{0,2}[\w./@:$-]+", key):
        remedy = "Settings are written key=value: optimizer.lr=1e-4."
    elif re.search(r"[\[\](){}]", value):
        remedy = "Put quotes around brackets: 'key=[1,2]'."
    else:
        remedy = f"""Text is quoted twice, for the shell and for Hydra: "{key}='{value.strip("'")}'\""""
    reason = first_line_of_error(error).replace("LexerNoViableAltException:", "a character needs quotes:")
    return UserError("override", word, f"cannot be read: {reason}.", remedy)


def _settings_in_one_word(word: str, root: str) -> list[str]:
    """Return the settings that stand in one word, between spaces, commas or semicolons."""
    from tvo_cli.config import schema

    pieces = re.split(r"[\s,;]+(?=[+~]{0,2}[\w./@-]+=)", word)
    known = {*groups.config_groups(), *schema.declared_keys(root)}
    return pieces if all(_is_key_hydra_knows(split_override(one)[0], known) for one in pieces[1:]) else []


def _is_key_hydra_knows(key: str, known: set[str]) -> bool:
    return key in known or key.startswith("hydra") or any(one.endswith(f".{key}") for one in known)


def _suggest_for_hydra_error(word: str, folder: Path | None) -> str:
    """Suggest the override that a word without `=` may stand for."""
    found = [f"{group}={word}" for group in groups.config_groups(folder) if word in choices_of_group(group, folder)]
    if not found and Path(word).is_dir():
        found = [f"model.path={word}", f"output_dir={word}"]
    return f"Did you mean {' or '.join(found)}?" if found else "Settings are written key=value: optimizer.lr=1e-4."


def _explain_missing_choice(error: Any, overrides: Sequence[str], root: str, folder: Path | None) -> UserError:
    """Explain a choice, config or plugin that Hydra does not find."""
    missing = str(error.missing_cfg_file or "")
    group, _, name = missing.rpartition("/")
    if not group:
        known = [path.stem for path in (folder or groups.conf_dir()).glob("*.yaml")]
        return UserError("--config-name", name or missing, "there is no such config.", nearest_names(name, known))
    if group in PLUGINS and name.split("_")[0] in PLUGINS[group]:
        return UserError(group, name, "is not installed.", f"pip install -e '.[{name.split('_')[0]}]'")
    options = [option for option in error.options or [] if not option.startswith("_")]
    if not options and group in groups.config_groups(folder):
        options = choices_of_group(group, folder)
    if group == GROUP and folder is None:
        options = evaluation_choices(root)
    own = clause_on_plugins(group, overrides) if group in OF_PLUGINS else ""
    own += missing_choices.clause_on_no_folder_here(group) + missing_choices.clause_on_folder_of_new(group, name)
    remedy = f"{nearest_names(name, options)} All of them: tvo list {group}{own}"
    stands = missing_choices.place_of_default(str(error), missing)
    return UserError(
        group,
        name,
        f"there is no such {group}{stands}.",
        missing_choices.misplaced_choice(group, name) or remedy.strip(),
    )


def _explain_unknown_key(key: str, overrides: Sequence[str], root: str, folder: Path | None) -> UserError:
    """Explain an override of a key that the config does not have."""
    from tvo_cli.config import schema

    value = redacted_value(key, dict(map(split_override, overrides)).get(key.partition("@")[0], ""))
    if "@" in key:
        return UserError(key, value, "has no choice yet that another could replace.", f"Add it: '+{key}={value}'")
    if key.startswith(f"{SOURCES}.") and key.count(".") == SOURCES.count(".") + 1:
        return source_error(key.removeprefix(f"{SOURCES}."), value)
    if key in groups.config_groups(folder):
        return UserError(key, value, f"`tvo {root}` has no such group.", _groups_of_command(key, root))
    if key in RENAMED:  # a sweep of a preset's own, which Hydra reads from the yaml itself
        return UserError(key, value, "was renamed.", f"It is called {RENAMED[key]} now.")
    known = _keys_to_suggest(overrides, root, folder)
    free = next((one for one in schema.undeclared_key_maps(root) if key.startswith(f"{one}.") and one in known), None)
    if free is not None:
        return UserError(key, value, "does not exist yet.", f"The keys of {free} are free: '+{key}={value}'")
    if key in known:
        return UserError(key, value, "is not in this config yet.", f"Add it: +{key}={value}")
    has_group = any(one.startswith(f"{key.partition('.')[0]}.") for one in known)
    choice = choice_with_key(key, folder) if has_group else ""
    remedy = f"{choice} has it." if choice else nearest_names(key, known)
    return UserError(key, value, "there is no such key.", remedy)


def _groups_of_command(group: str, root: str) -> str:
    """Return the groups that a command has, where it lacks one that others have."""
    has = groups.groups_of_command(root)
    suites = (
        "Its problems are suites: evaluation=NAME, of a run evaluation=heldout, of a file evaluation=jsonl path=FILE. "
    )
    return f"{suites if (root, group) == ('eval', 'dataset') else ''}It has: {', '.join(has)}." if has else ""


def _keys_to_suggest(overrides: Sequence[str], root: str, folder: Path | None) -> list[str]:
    """Return the keys that an error may suggest: all that there are once the choices of groups are made."""
    from hydra.errors import HydraException
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    from tvo_cli.config import schema
    from tvo_cli.config.composing import compose_unexplained  # which explains its own errors by this module

    known = groups.config_groups(folder)
    choices = [word for word in overrides if split_override(word)[0] in known and "," not in word and word[0] != "~"]
    choices += [word for word in overrides if split_override(word)[0] == "plugins"]  # whose choices they may be
    try:
        config = compose_unexplained(choices, root, folder)  # unchecked: keys may still have to be given
    except (UserError, HydraException, OmegaConfBaseException):
        return known
    with open_dict(config):
        del config["hydra"]
    return schema.possible_keys(config, root)
