r"""Two graders on the same rows: ours and math-verify, by kind of answer, false accepts apart from false rejects.

    python -m benchmarks.grader_errors FILE [FILE…]       JSON lines {gold, prediction, expected[, kind, options]}
    python -m benchmarks.grader_errors --cases tests/reward/kinds.txt     a table of cases of this repository
    python -m benchmarks.grader_errors FILE --wrong       also each row on which ours is wrong

math-verify is used as its authors ship it (its own extraction; the gold in a box). A row on which it breaks or takes
longer than the deadline is a refusal. `options` of a row ("--profile aime") are given to our grader.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import model_validator

from benchmarks.harness import markdown, record
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import ROOT
from benchmarks.harness.record import Record, flag, group, number, text
from benchmarks.harness.settings import Settings, option
from tvo_cli.reward import Grader
from tvo_cli.types import Problem

DEADLINE = 10.0
COUNTED = ("rows", "ours accepts", "ours refuses", "theirs accepts", "theirs refuses")
TABLES = {
    "answers": {
        "file": text("where the row stands"),
        "line": number("which row of it", "1"),
        "kind": text("kind of answer"),
        "gold": text("the reference answer"),
        "prediction": text("what was answered"),
        "expected": flag("whether it is right"),
        "ours": flag("whether our grader says so"),
        "theirs": flag("whether math-verify says so, in time and without an error"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    files: tuple[Path, ...] = option((), "JSON lines of rows", positional=True)
    cases: tuple[Path, ...] = option((), "tables of cases as in tests/reward")
    rows: int = option(0, "only so many of each file; 0: all", ge=0)
    wrong: bool = option(False, "list each row on which our grader is wrong")

    @model_validator(mode="after")
    def _something_to_grade(self) -> Chosen:
        if not (self.files or self.cases):
            raise ValueError("name a file of rows, or --cases FILE")
        return self


QUICK = {"cases": (ROOT / "tests/reward/kinds.txt",), "rows": 4}


class Case(NamedTuple):
    """One answer with the verdict that it should get."""

    gold: str
    prediction: str
    expected: bool
    kind: str
    options: str


class Judged(NamedTuple):
    """A row with both verdicts."""

    row: Case
    ours: bool
    theirs: bool


def read(path: Path) -> list[Case]:
    """Rows of JSON lines."""
    fields = map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])
    return [
        Case(str(f["gold"]), f["prediction"], f["expected"], f.get("kind", path.stem), f.get("options", ""))
        for f in fields
    ]


def read_table(path: Path) -> list[Case]:
    """Rows of a table of cases: a gold, below it = same and ! different answers, headings for the kinds."""
    rows, gold, kind = [], "", path.stem
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            kind = line[3:]
        elif line.startswith("  "):
            sign, answer = line.strip().split(" ", 1)
            rows.append(Case(gold, rf"\boxed{{{answer.strip()}}}", sign == "=", kind, ""))
        elif line.strip() and not line.startswith("#"):
            gold = line.strip()
    return rows


def named(options: str) -> dict[str, str]:
    """--profile aime as {"profile": "aime"}."""
    words = options.split()
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def judged(rows: Sequence[Case]) -> list[Judged]:
    """Both verdicts on every row, in its order."""
    verdicts: dict[int, Judged] = {}
    by_options = defaultdict(list)
    for index, row in enumerate(rows):
        by_options[row.options].append(index)
    for options, places in by_options.items():
        asked = [Problem(str(place), "", rows[place].gold, source="rows") for place in places]
        texts = [rows[place].prediction for place in places]
        with Grader({"deadline": DEADLINE, "audit": True, **named(options)}) as grader:
            found = grader.grade(texts, asked, [True] * len(places))
        verdicts |= {n: Judged(rows[n], v.correct, bool(v.second)) for n, v in zip(places, found, strict=True)}
    return [verdicts[place] for place in range(len(rows))]


def measure(settings: Chosen) -> Iterator[Measurement]:
    """File by file."""
    for path, reader in [*((path, read) for path in settings.files), *((path, read_table) for path in settings.cases)]:
        rows = reader(path)[: settings.rows or None]
        yield Measurement("answers", {"file": str(path)}, partial(_answers, rows))


def _answers(rows: Sequence[Case]) -> list[record.Row]:
    return [
        {"line": line, "kind": row.kind, "gold": row.gold, "prediction": row.prediction, "expected": row.expected}
        | {"ours": ours, "theirs": theirs}
        for line, (row, ours, theirs) in enumerate(judged(rows), 1)
    ]


def counted(found: Iterable[record.Row]) -> Counter[str]:
    """Rows, and what each grader accepts and refuses wrongly."""
    counts: Counter[str] = Counter()
    for row in found:
        counts["rows"] += 1
        for name in ("ours", "theirs"):
            counts[f"{name} accepts"] += row[name] and not row["expected"]
            counts[f"{name} refuses"] += row["expected"] and not row[name]
    return counts


def table(found: Record) -> str:
    """A line for each kind, and the sum; where asked, the rows on which our grader is wrong."""
    rows = found.rows("answers")
    parts = [(kind, counted(mine)) for (kind,), mine in group(rows, "kind").items()] + [("**all**", counted(rows))]
    head = ["kind", "rows", "tvo: false accepts", "false rejects", "math-verify: false accepts", "false rejects"]
    lines = [markdown.table(head, [[kind, *(counts[name] for name in COUNTED)] for kind, counts in parts])]
    for row in rows if found.settings["wrong"] else ():
        if row["ours"] != row["expected"]:
            lines.append(f"{'accepted' if row['ours'] else 'refused'}: {row['gold']!r} <- {row['prediction']!r}")
    return "\n".join(lines)


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()
