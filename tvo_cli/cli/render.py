"""Tables for people: aligned on a terminal, aligned and never cut in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    markdown: bool = False,
    headed: bool = False,
    cut: bool = False,
) -> None:
    """Print rows; columns that are empty in every row are left out.

    headed: headings in a pipe too. cut: on a terminal the last column ends with … where the line does.
    """
    kept = [i for i in range(len(headings)) if i == 0 or any(row[i] for row in rows)]
    chosen = [[row[i] for i in kept] for row in rows]
    if markdown:
        _markdown([headings[i] for i in kept], chosen)
    elif sys.stdout.isatty():
        _rich([headings[i] for i in kept], chosen, cut=cut)
    else:
        _aligned([[headings[i] for i in kept], *chosen] if headed else chosen)


def _rich(headings: Sequence[str], rows: Sequence[Sequence[str]], *, cut: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        ends = cut and index == len(headings) - 1
        style = "bold" if index == 0 else None
        drawn.add_column(heading, no_wrap=ends or index == 0, style=style, overflow="ellipsis" if ends else "fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for cells in (headings, ["---"] * len(headings), *rows):
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")


def _aligned(rows: Sequence[Sequence[str]]) -> None:
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(rows[0]) if rows else 0)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def config(node: Any) -> None:
    """Print a config, resolved, secrets masked."""
    from omegaconf import OmegaConf

    from tvo_cli import config as configuration
    from tvo_cli import masking

    tree = masking.masked(configuration.plain(node))
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
    lines = [f"{command}: done. Everything is in {folder}"]
    for name, value in flat(summary or {}):
        lines.append(f"  {name:<28} {number(value)}")
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
