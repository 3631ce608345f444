"""Tables for people: aligned on a terminal, aligned and never cut in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from tvo_cli import escaping

GAP, EDGES = 3, 2  # characters between two columns of a table on a terminal, and at its sides
LEGIBLE = 12  # characters that a column must keep to be of use
WIDEST, PIPED = 110, 100  # characters of a line of words: on a terminal at most, and in a pipe


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    markdown: bool = False,
    headed: bool = False,
    cut: bool = False,
) -> None:
    """Print rows; columns that are empty in every row are left out, and nothing in a cell is obeyed.

    headed: headings in a pipe too. cut: on a terminal a row is one line; what is too long ends with ….
    """
    kept = [i for i in range(len(headings)) if i == 0 or any(row[i] for row in rows)]
    shown = [headings[i] for i in kept]
    if markdown:
        print("\n".join(escaping.markdown_table(shown, [[row[i] for i in kept] for row in rows])))
        return
    chosen = [[escaping.terminal(row[i]) for i in kept] for row in rows]
    if sys.stdout.isatty():
        _rich(shown, chosen, cut=cut)
    else:
        _aligned([shown, *chosen] if headed else chosen)


def _rich(headings: Sequence[str], rows: Sequence[Sequence[str]], *, cut: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    natural = [max(cell_len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    widths = fitted(natural, console.width - EDGES, least=LEGIBLE if cut else 1)
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, width in enumerate(widths):
        style, overflow = ("bold" if index == 0 else None), ("ellipsis" if cut else "fold")
        drawn.add_column(Text(headings[index]), width=width, no_wrap=cut, style=style, overflow=overflow)  # type: ignore[arg-type]
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row[: len(widths)]))
    console.print(drawn)


def fitted(natural: Sequence[int], room: int, least: int = 1) -> list[int]:
    """Widths of columns that fit a terminal: the widest give way first, and to the same width.

    Where that would leave them fewer than `least` characters, the last column is left out instead.
    """
    widths, room = list(natural), room - GAP * (len(natural) - 1)
    while sum(widths) > room and max(widths) > 1:
        widest = max(widths)
        if widest <= least and len(widths) > 1:
            return fitted(natural[: len(widths) - 1], room + GAP * (len(natural) - 1), least)
        widths = [min(width, widest - 1) for width in widths]
    spare = max(0, room - sum(widths))  # levelled by one step too far: the first that were cut get it back
    for index, width in enumerate(widths):
        if width < natural[index] and spare:
            widths[index], spare = width + 1, spare - 1
    return widths


def _aligned(rows: Sequence[Sequence[str]]) -> None:
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(rows[0]) if rows else 0)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def definitions(entries: Sequence[tuple[str, str]]) -> None:
    """Print names and what they mean, the meaning wrapped by words beside its name."""
    from shutil import get_terminal_size
    from textwrap import wrap

    room = min(get_terminal_size((PIPED, 24)).columns, WIDEST)
    edge = min(max((len(name) for name, _ in entries), default=0), room // 3) + 2
    for name, meaning in entries:
        first, *others = wrap(escaping.terminal(meaning), max(room - edge, 20), break_on_hyphens=False) or [""]
        print(f"{escaping.terminal(name):<{edge}}{first}".rstrip())
        for line in others:
            print(f"{'':<{edge}}{line}")


def config(node: Any) -> None:
    """Print a config, resolved, secrets masked."""
    from omegaconf import OmegaConf

    from tvo_cli import config as configuration
    from tvo_cli import redaction

    tree = redaction.masked(configuration.plain(node))
    print(OmegaConf.to_yaml(OmegaConf.create(tree)))


def plan(sizes: Any) -> None:
    """Print derived sizes: label, value, and what the value comes from."""
    table(("size", "value", "note"), [[label, number(value), note] for label, value, note in plan_rows(sizes)])


def plan_rows(sizes: Any) -> Iterator[tuple[str, Any, str]]:
    """(label, value, note) of a plan: a mapping or a dataclass whose entries are values or (value, note)."""
    entries = {f.name: getattr(sizes, f.name) for f in fields(sizes)} if is_dataclass(sizes) else dict(sizes)
    for label, entry in entries.items():
        value, note = entry if isinstance(entry, tuple) else (entry, "")
        yield str(label).replace("_", " "), value, str(note)


def number(value: Any) -> str:
    """A size with thousands apart; anything else as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def summary_lines(command: str, summary: Mapping[str, Any] | None, folder: Any) -> str:
    """The end of a command in a few lines: its figures, and where its files are."""
    lines = [f"{command}: done. Everything is in {escaping.terminal(folder)}"]
    for name, value in flat(summary or {}):
        lines.append(f"  {name:<28} {escaping.terminal(number(value))}")
    return "\n".join(lines)


def counted(total: int, what: str, every: int = 50) -> Callable[[int, float], object]:
    """A report of a simple loop: a line at the start, at the end, and every so many steps between."""

    def report(step: int, value: float) -> None:
        if step % every == 0 or step == total - 1:
            print(f"step {step:>{len(str(total))}}/{total}  {what} {value:.4f}", flush=True)

    return report


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The figures of a nested summary with dotted names; long lists and texts are for summary.json."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float | str) and len(str(value)) <= 60:
            yield (name if "/" in name else f"{prefix}{name}"), value  # a metric's name is whole by itself
