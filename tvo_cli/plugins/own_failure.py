"""Whose a failure is: an error with a frame in own code's files is its author's, and names his file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.nearest_names import closest_names
from tvo_cli.plugins.code_sources import find_source, module_of_reference, source_files
from tvo_cli.plugins.own_code_loading import load_callable, loaded_files
from tvo_cli.plugins.own_targets import keys_of_targets
from tvo_cli.plugins.own_traceback import OwnCodeLine, own_code_lines

CALL = re.compile(r"([\w.]+)\(\) (?:missing|takes|got) ")  # what Python says of a call that does not fit its signature
DEBUG = "The traceback: --debug."


def own_failure(error: BaseException) -> UserError | None:
    """Return an error that own code has raised, or a call that does not fit it, as its author's; `None` for another.

    The key is that whose `_target_` names the code, the line the last one of the author's before the error.
    """
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        lines = _own_lines(found)
        if lines:
            return _own_failure_error(found, lines)
        seen.add(id(found))
        found = found.__cause__
    return None


def _own_failure_error(error: BaseException, lines: list[OwnCodeLine]) -> UserError:
    key, reference = _key_and_reference(lines)
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": .")
    last = lines[-1]
    return UserError(
        key, reference, f"{text} ({last.path.name}, line {last.number}).", f"{_nearest_attributes(error)}{DEBUG}"
    )


def _own_lines(error: BaseException) -> list[OwnCodeLine]:
    """Return the lines of own code that an error went through, the outermost first."""
    files = loaded_files()
    return own_code_lines(error, files) or list(_line_of_callee(error) if files else ())


def _line_of_callee(error: BaseException) -> Iterator[OwnCodeLine]:
    """Yield the line at which the own function begins that was called with other arguments than it takes."""
    said = CALL.match(str(error)) if isinstance(error, TypeError) else None
    for target, key in keys_of_targets().items() if said else ():
        _, function = _source_and_function(target)
        if said and (said[1] == function or said[1].rpartition(".")[0] == function):
            code = getattr(load_callable(key, f"{module_of_reference(target)}:{said[1]}"), "__code__", None)
            if code is not None:
                yield OwnCodeLine(Path(code.co_filename).resolve(), code.co_firstlineno, said[1])
            return


def _key_and_reference(lines: list[OwnCodeLine]) -> tuple[str, str]:
    """Return the key and the name of the code that the program called: that of the outermost line, or of its file."""
    first, of_file = lines[0], ("plugins", f"{lines[0].path.name}:{lines[0].function}")
    for target, key in keys_of_targets().items():
        source, function = _source_and_function(target)
        if source is None or first.path not in source_files(source):
            continue
        of_file = (key.removesuffix("._target_"), target)
        if f"{first.function}.".startswith(f"{function}."):
            break
    return of_file


def _source_and_function(target: str) -> tuple[Path | None, str]:
    """Return source and function that a failure's `_target_` names: `mine.py:Mine`, `my_package.maths.weight`."""
    reference = target if ":" in target else ":".join(target.rsplit(".", 1))
    module = module_of_reference(reference)
    try:
        return find_source("_target_", module), reference[len(module) + 1 :]
    except UserError:  # the file has gone since
        return None, ""


def _nearest_attributes(error: BaseException) -> str:
    """Return the names that an attribute which is not there may have meant."""
    if not isinstance(error, AttributeError) or not error.name:
        return ""
    known = [name for name in dir(error.obj) if not name.startswith("_")]
    close = closest_names(error.name, known)
    fields = list(getattr(error.obj, "__dataclass_fields__", ()))
    if close:
        return f"Nearest: {', '.join(close)}. "
    return f"It has: {', '.join(fields)}. " if fields else ""
