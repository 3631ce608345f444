"""Every key of conf/: declared in one place, from which checks, messages and an editor's schema come."""

from tvo_cli.config.schema.command_configs import CONFIG_OF_COMMAND
from tvo_cli.config.schema.json_schema import editor_groups, editor_schema
from tvo_cli.config.schema.key_location import ConfigSources, users_folders_to_locate_keys
from tvo_cli.config.schema.known_keys import declared_keys, possible_keys, undeclared_key_maps
from tvo_cli.config.schema.text_normalisation import normalise_and_validate, normalise_command_line_texts
from tvo_cli.config.schema.upgrading import upgrade_recorded_config, upgrade_recorded_settings
from tvo_cli.config.schema.validation import validate_config

__all__ = [
    "CONFIG_OF_COMMAND",
    "ConfigSources",
    "declared_keys",
    "editor_groups",
    "editor_schema",
    "normalise_and_validate",
    "normalise_command_line_texts",
    "possible_keys",
    "undeclared_key_maps",
    "upgrade_recorded_config",
    "upgrade_recorded_settings",
    "users_folders_to_locate_keys",
    "validate_config",
]
