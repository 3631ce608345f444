"""Where conf/ is, what it offers, how it is declared, composed and turned into objects."""

from tvo_cli.config.choices import (
    ChoiceDescription,
    choice_comment,
    choice_path,
    choices_of_group,
    origin_of_choice,
    parse_choice_comment,
)
from tvo_cli.config.composing import check_composed_config, compose, compose_job, load_recorded_config, sweep_parameters
from tvo_cli.config.fingerprints import NOT_THE_EXPERIMENT, config_fingerprint
from tvo_cli.config.groups import conf_dir, config_groups, find_group
from tvo_cli.config.hydra_errors import explain_hydra_error
from tvo_cli.config.instantiation import build, check_target_name, check_target_object
from tvo_cli.config.notes_on_user_folders import notes_on_users_configs
from tvo_cli.config.overrides import hydra_override, in_hydra_quotes, normalised_overrides, split_override
from tvo_cli.config.own_code_record import clear_own_code_record, record_own_code, recorded_own_code
from tvo_cli.config.plugins_in_effect import all_plugins, plugins_in_effect, recorded_plugins_in_effect
from tvo_cli.config.renamed_keys import current_key_name, rename_keys_of_overrides
from tvo_cli.config.renamed_recipes import note_on_renamed_recipe
from tvo_cli.config.repeated_keys import notes_on_repeated_keys
from tvo_cli.config.rerun_command import launched_from_python, rerun_command
from tvo_cli.config.resolvers import evaluation_folder_name, multiply, register_resolvers, resolved_tree
from tvo_cli.config.search_path import ROOTS, config_folders, given_config_dir, use_config_dir, users_config_folders
from tvo_cli.config.targets_in_tree import targets_in_tree
from tvo_cli.nearest_names import nearest_names

__all__ = [
    "NOT_THE_EXPERIMENT",
    "ROOTS",
    "ChoiceDescription",
    "all_plugins",
    "build",
    "check_composed_config",
    "check_target_name",
    "check_target_object",
    "choice_comment",
    "choice_path",
    "choices_of_group",
    "clear_own_code_record",
    "compose",
    "compose_job",
    "conf_dir",
    "config_fingerprint",
    "config_folders",
    "config_groups",
    "current_key_name",
    "evaluation_folder_name",
    "explain_hydra_error",
    "find_group",
    "given_config_dir",
    "hydra_override",
    "in_hydra_quotes",
    "launched_from_python",
    "load_recorded_config",
    "multiply",
    "nearest_names",
    "normalised_overrides",
    "note_on_renamed_recipe",
    "notes_on_repeated_keys",
    "notes_on_users_configs",
    "origin_of_choice",
    "parse_choice_comment",
    "plugins_in_effect",
    "record_own_code",
    "recorded_own_code",
    "recorded_plugins_in_effect",
    "register_resolvers",
    "rename_keys_of_overrides",
    "rerun_command",
    "resolved_tree",
    "split_override",
    "sweep_parameters",
    "targets_in_tree",
    "use_config_dir",
    "users_config_folders",
]
