"""Every key of conf/: declared in one place, from which checks, messages and an editor's schema come."""

from tvo_cli.config.schema.checking import Given, check, possible_keys
from tvo_cli.config.schema.editing import editor_groups, editor_schema
from tvo_cli.config.schema.field_traversal import declared, dotted, of_field
from tvo_cli.config.schema.kinds import FREE
from tvo_cli.config.schema.locating import folders
from tvo_cli.config.schema.preparing import prepare, understand
from tvo_cli.config.schema.roots import ROOTS
from tvo_cli.config.schema.upgrading import settled, upgraded

__all__ = [
    "ROOTS",
    "Given",
    "check",
    "declared_keys",
    "editor_groups",
    "editor_schema",
    "folders",
    "free_maps",
    "possible_keys",
    "prepare",
    "settled",
    "understand",
    "upgraded",
]


def declared_keys(root: str) -> list[str]:
    """Every key that a command's config may have; `*` stands for the names of a map."""
    return [dotted(path) for path, _ in declared(ROOTS[root])] if root in ROOTS else []


def free_maps(root: str) -> list[str]:
    """The maps of a command's config whose keys are somebody else's."""
    fields = declared(ROOTS[root]) if root in ROOTS else ()
    return [dotted(path) for path, field in fields if any(FREE in marks for _, marks in of_field(field))]
