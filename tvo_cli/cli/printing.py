"""Printing of tables, configs, sizes, messages, failures: fitted to a terminal, never cut in a pipe."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tvo_cli import escaping
from tvo_cli.job.failure_description import INTERNAL_ERROR, describe_failure
from tvo_cli.parallel.elastic_error_file import write_elastic_error_file

GAP, EDGES = 3, 2  # characters between two columns of a table on a terminal, and at its sides
LEGIBLE = 12  # characters that a column must keep to be of use
WIDEST, PIPED = 110, 100  # characters of a line of words: on a terminal at most, and in a pipe


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    markdown: bool = False,
    headed: bool = False,
    cut: bool = False,
) -> None:
    """Print a table, its cells escaped, without columns that are empty in every row.

    headed: headings in a pipe too. cut: on a terminal a row is one line; what is too long ends with ….
    """
    kept = [i for i in range(len(headings)) if i == 0 or any(row[i] for row in rows)]
    shown = [headings[i] for i in kept]
    if markdown:
        print("\n".join(escaping.escaped_markdown_table(shown, [[row[i] for i in kept] for row in rows])))
        return
    chosen = [[escaping.terminal(row[i]) for i in kept] for row in rows]
    if sys.stdout.isatty():
        _print_rich_table(shown, chosen, cut=cut)
    else:
        _print_aligned_table([shown, *chosen] if headed else chosen)


def _print_rich_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, cut: bool) -> None:
    """Print a table on a terminal, its columns fitted to the width."""
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    natural = [max(cell_len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    widths = fit_column_widths(natural, console.width - EDGES, least=LEGIBLE if cut else 1)
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, width in enumerate(widths):
        style, overflow = ("bold" if index == 0 else None), ("ellipsis" if cut else "fold")
        drawn.add_column(Text(headings[index]), width=width, no_wrap=cut, style=style, overflow=overflow)  # type: ignore[arg-type]
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row[: len(widths)]))
    console.print(drawn)


def fit_column_widths(natural: Sequence[int], room: int, least: int = 1) -> list[int]:
    """Return widths at which a printed table fits a terminal: the widest are reduced first, to the same width.

    Where that would leave them fewer than `least` characters, the last column is left out instead.
    """
    widths, room = list(natural), room - GAP * (len(natural) - 1)
    while sum(widths) > room and max(widths) > 1:
        widest = max(widths)
        if widest <= least and len(widths) > 1:
            return fit_column_widths(natural[: len(widths) - 1], room + GAP * (len(natural) - 1), least)
        widths = [min(width, widest - 1) for width in widths]
    spare = max(0, room - sum(widths))  # levelled by one step too far: the first that were cut get it back
    for index, width in enumerate(widths):
        if width < natural[index] and spare:
            widths[index], spare = width + 1, spare - 1
    return widths


def _print_aligned_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table into a pipe, its columns aligned."""
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(rows[0]) if rows else 0)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_definitions(entries: Sequence[tuple[str, str]]) -> None:
    """Print names and what they mean, the meaning wrapped by words beside its name, below one that is long."""
    from shutil import get_terminal_size
    from textwrap import wrap

    room = min(get_terminal_size((PIPED, 24)).columns, WIDEST)
    edge = min(max((len(name) for name, _ in entries), default=0), room // 3) + 2
    for name, meaning in entries:
        first, *others = wrap(escaping.terminal(meaning), max(room - edge, 20), break_on_hyphens=False) or [""]
        beside = (
            f"{escaping.terminal(name):<{edge}}" if len(name) < edge else f"{escaping.terminal(name)}\n{'':<{edge}}"
        )
        print(f"{beside}{first}".rstrip())
        for line in others:
            print(f"{'':<{edge}}{line}")


def print_config(node: Any) -> None:
    """Print a config, resolved, with secrets redacted."""
    from tvo_cli import config as configuration
    from tvo_cli import redaction
    from tvo_cli.config.yaml_text import to_yaml

    tree = redaction.redacted(configuration.resolved_tree(node))
    print(to_yaml(tree))


def format_printed_value(value: Any) -> str:
    """Return a value as it is printed: numbers with thousands apart, anything else as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


@contextmanager
def messages_printed() -> Iterator[None]:
    """Inside: the program's own messages are printed, a warning with its mark."""
    logger, handler = logging.getLogger("tvo"), _PrintedMessages(logging.INFO)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _PrintedMessages(logging.Handler):
    """A log handler that prints."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        mark = "⚠ " if record.levelno >= logging.WARNING else ""
        print(escaping.terminal(f"{mark}{record.getMessage()}"), flush=True)


def command_summary_lines(command: str, summary: Mapping[str, Any] | None, folder: Any) -> str:
    """Return the closing lines of a command: its results, and where its files are."""
    lines = [f"{command}: done. Everything is in {escaping.terminal(folder)}"]
    for name, value in flatten_for_printing(summary or {}):
        lines.append(f"  {name:<28} {escaping.terminal(format_printed_value(value))}")
    return "\n".join(lines)


def flatten_for_printing(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the numbers of a nested summary under dotted names, without long lists and texts."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten_for_printing(value, f"{prefix}{name}.")
        elif isinstance(value, int | float | str) and len(str(value)) <= 60:
            yield (name if "/" in name else f"{prefix}{name}"), value  # a metric's name is whole by itself


def report_failure(
    error: BaseException, *, debug: bool = False, overrides: Sequence[str] = (), root: str = "train"
) -> int:
    """Print a failure as one line on stderr; return the exit code."""
    from tvo_cli.redaction import without_secrets

    text, code = describe_failure(error, overrides, root)
    if debug or code == INTERNAL_ERROR:
        print(escaping.lines(without_secrets("".join(traceback.format_exception(error)))), end="", file=sys.stderr)
    line = f"tvo: {escaping.terminal(without_secrets(text))}"
    print(line, file=sys.stderr)
    write_elastic_error_file(line)
    return code
