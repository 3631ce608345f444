"""A yaml of the user's that cannot be read, or is no mapping: the error names the file and the line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvo_cli.errors import UserError


@contextmanager
def explain_unreadable_users_yaml(path: Path) -> Iterator[None]:
    """Raise a UserError that names the file and the line where a yaml cannot be read.

    Raises:
        UserError: it is no YAML, no UTF-8, or no mapping.
    """
    import yaml
    from omegaconf.errors import OmegaConfBaseException

    place = os.path.relpath(path)
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError("config", f"{place}{where}", f"is no YAML: {error.problem}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError("config", place, f"cannot be read: {str(error).splitlines()[0]}.") from error
    except (OSError, OmegaConfBaseException) as error:
        raise UserError("config", place, f"cannot be read: {str(error).splitlines()[0]}.") from error


def check_users_yaml_is_mapping(path: Path, config: object) -> None:
    """Refuse a yaml that is a list or a lone value.

    Raises:
        UserError: it is; an empty one is a mapping without keys.
    """
    from omegaconf import OmegaConf

    if not OmegaConf.is_dict(config):
        raise UserError("config", os.path.relpath(path), "holds a list.", "A config is lines of `key: value`.")
