r"""Two graders on the same rows: ours and math-verify, by kind of answer, false accepts apart from false rejects.

    python -m benchmarks.graders FILE [FILE…]             JSON lines {gold, prediction, expected[, kind, options]}
    python -m benchmarks.graders --table tests/reward/kinds.txt     a table of cases of this repository
    python -m benchmarks.graders FILE --wrong             also each row on which ours is wrong

math-verify is used as its authors ship it (its own extraction; the gold in a box). A row on which it breaks or takes
longer than the deadline is a refusal. `options` of a row ("--profile aime") are given to our grader.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tvo_cli.reward import Grader
from tvo_cli.types import Problem

DEADLINE = 10.0


class Row(NamedTuple):
    """One answer with the verdict that it should get."""

    gold: str
    prediction: str
    expected: bool
    kind: str
    options: str


class Judged(NamedTuple):
    """A row with both verdicts."""

    row: Row
    ours: bool
    theirs: bool


def read(path: Path) -> list[Row]:
    """Rows of JSON lines."""
    fields = map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])
    return [
        Row(str(f["gold"]), f["prediction"], f["expected"], f.get("kind", path.stem), f.get("options", ""))
        for f in fields
    ]


def read_table(path: Path) -> list[Row]:
    """Rows of a table of cases: a gold, below it = same and ! different answers, headings for the kinds."""
    rows, gold, kind = [], "", path.stem
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            kind = line[3:]
        elif line.startswith("  "):
            sign, answer = line.strip().split(" ", 1)
            rows.append(Row(gold, rf"\boxed{{{answer.strip()}}}", sign == "=", kind, ""))
        elif line.strip() and not line.startswith("#"):
            gold = line.strip()
    return rows


def settings(options: str) -> dict[str, str]:
    """--profile aime as {"profile": "aime"}."""
    words = options.split()
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def judged(rows: Sequence[Row]) -> list[Judged]:
    """Both verdicts on every row, in its order."""
    verdicts: dict[int, Judged] = {}
    by_options = defaultdict(list)
    for number, row in enumerate(rows):
        by_options[row.options].append(number)
    for options, numbers in by_options.items():
        asked = [Problem(str(number), "", rows[number].gold, source="rows") for number in numbers]
        texts = [rows[number].prediction for number in numbers]
        with Grader({"deadline": DEADLINE, "audit": True, **settings(options)}) as grader:
            found = grader.grade(texts, asked, [True] * len(numbers))
        verdicts |= {n: Judged(rows[n], v.correct, bool(v.second)) for n, v in zip(numbers, found, strict=True)}
    return [verdicts[number] for number in range(len(rows))]


def counted(found: Iterable[Judged]) -> Counter[str]:
    """Rows, and what each grader accepts and refuses wrongly."""
    counts: Counter[str] = Counter()
    for row, ours, theirs in found:
        counts["rows"] += 1
        for name, said in (("ours", ours), ("theirs", theirs)):
            counts[f"{name} accepts"] += said and not row.expected
            counts[f"{name} refuses"] += row.expected and not said
    return counts


def lines(found: Sequence[Judged]) -> list[str]:
    """The table in Markdown: a line for each kind, and the sum."""
    kinds = defaultdict(list)
    for one in found:
        kinds[one.row.kind].append(one)
    columns = ("rows", "ours accepts", "ours refuses", "theirs accepts", "theirs refuses")
    head = "| kind | rows | tvo: false accepts | false rejects | math-verify: false accepts | false rejects |"
    parts = [(kind, counted(rows)) for kind, rows in kinds.items()] + [("**all**", counted(found))]
    body = [f"| {kind} | " + " | ".join(str(counts[column]) for column in columns) + " |" for kind, counts in parts]
    return [head, "|---|---|---|---|---|---|", *body]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--table", action="append", default=[], type=Path)
    parser.add_argument("--wrong", action="store_true")
    options = parser.parse_args()
    rows = [row for path in options.files for row in read(path)]
    rows += [row for path in options.table for row in read_table(path)]
    if not rows:
        parser.error("name a file of rows, or --table FILE")
    found = judged(rows)
    print("\n".join(lines(found)))
    for row, ours, _ in found if options.wrong else ():
        if ours != row.expected:
            print(f"{'accepted' if ours else 'refused'}: {row.gold!r} <- {row.prediction!r}")


if __name__ == "__main__":
    main()
