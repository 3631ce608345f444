"""Where conf/ is, what it offers, how it is declared, composed and turned into objects."""

from tvo_cli.config.building import build, check_name, check_object, targets
from tvo_cli.config.composing import compose, declare, recorded, sweep_parameters
from tvo_cli.config.describing import About, about, conf_dir, group_called, groups, names, nearest, take_apart
from tvo_cli.config.explaining import explain
from tvo_cli.config.fingerprints import NOT_THE_EXPERIMENT, fingerprint
from tvo_cli.config.overrides import command_line, key_paths, normalized, split_override
from tvo_cli.config.renamed_keys import current_name, rename_overrides
from tvo_cli.config.resolving import eval_name, plain, register_resolvers, times

__all__ = [
    "NOT_THE_EXPERIMENT",
    "About",
    "about",
    "build",
    "check_name",
    "check_object",
    "command_line",
    "compose",
    "conf_dir",
    "current_name",
    "declare",
    "eval_name",
    "explain",
    "fingerprint",
    "group_called",
    "groups",
    "key_paths",
    "names",
    "nearest",
    "normalized",
    "plain",
    "recorded",
    "register_resolvers",
    "rename_overrides",
    "split_override",
    "sweep_parameters",
    "take_apart",
    "targets",
    "times",
]
