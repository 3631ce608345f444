"""What grading costs and what it misses: throughput, a file of bombs, MATH's golds against their own solutions.

    python -m benchmarks.grading                          two minutes
    python -m benchmarks.grading --data ../shared/data    where math_test.jsonl and math_train.jsonl are

Every part goes through `tvo_cli.reward.Grader` with two workers, the child processes started anew.
"""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, by_name, flag, number, text, texts
from benchmarks.harness.settings import Settings, option
from tvo_cli.reward import Grader
from tvo_cli.types import Problem, Verdict

WORKERS = 2
TOWER = r"\boxed{\sqrt{9^{9^{9^{9^{9}}}}}}"
DATA = Path(__file__).parents[2] / "shared/data"
TABLES = {
    "parts": {
        "part": text("which rows are graded"),
        "name": text("the part with its sizes or what was found"),
        "rows": number("predictions graded", "1"),
        "right": number("judged right", "1"),
        "wall": number("time, start of the children included", "s"),
        "cpu": number("processor time, children included: what does not depend on who else is at work", "s"),
        "wanted": text("what was asked for"),
        "met": flag("whether it was reached"),
        "reasons": by_name("verdicts by reason", "rows"),
        "failures": by_name("what the grader could not do", "rows"),
        "examples": texts("rows to look at: accepted though spelled otherwise, or differing from the second grader"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    rows: int = option(1000, "ordinary rows, and expressions", ge=20)
    bombs: int = option(12, "power towers", gt=0)
    deadline: float = option(5.0, "seconds for one answer", gt=0)
    data: Path = option(DATA, "where math_test.jsonl and math_train.jsonl are; parts without their file are left out")


QUICK = {"rows": 20, "bombs": 1, "deadline": 1.0, "data": Path("none")}


class Graded(NamedTuple):
    """Verdicts and what they cost."""

    verdicts: list[Verdict]
    wall: float
    cpu: float
    grader: Grader

    def row(self, name: str, wanted: str, met: bool, examples: Sequence[str] = ()) -> Row:
        """The part as a row of the record."""
        return {
            "name": name,
            "rows": len(self.verdicts),
            "right": self.right,
            "wall": self.wall,
            "cpu": self.cpu,
            "wanted": wanted,
            "met": met,
            "reasons": dict(Counter(verdict.reason for verdict in self.verdicts).most_common()),
            "failures": dict(self.grader.counts),
            "examples": list(examples),
        }

    @property
    def right(self) -> int:
        """How many are judged right."""
        return sum(verdict.correct for verdict in self.verdicts)


def graded(texts: Sequence[str], asked: Sequence[Problem], deadline: float, **settings: Any) -> Graded:
    """Grade with children started anew."""
    wall, cpu = time.monotonic(), processor_seconds()
    with Grader({"workers": WORKERS, "deadline": deadline, **settings}) as grader:
        verdicts = grader.grade(texts, asked, [True] * len(texts))
        wall = time.monotonic() - wall
    return Graded(verdicts, wall, processor_seconds() - cpu, grader)


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def problem(gold: str, id: str = "row", question: str = "") -> Problem:
    """A gold to grade against."""
    return Problem(id, question, gold, source="benchmark")


def ordinary(settings: Chosen) -> Row:
    """Two fifths numbers, then lists, fractions and roots; a quarter of the rows wrong."""
    texts, asked = [], []
    for i in range(settings.rows):
        n, off = i + 2, int(i % 4 == 3)
        root = rf"\sqrt{{{4 * (n % 97 + 2) + off}}}", rf"2\sqrt{{{n % 97 + 2}}}"
        forms = (str(n + off), str(n)), (rf"\dfrac{{{2 * n + off}}}{{4}}", rf"\frac{{{n}}}{{2}}")
        lists = f"{n + off}, -{n}", f"-{n}, {n}"
        said, gold = (forms[0], lists, forms[0], forms[1], root)[i % 5]
        texts.append(rf"so we get $\boxed{{{said}}}$.")
        asked.append(problem(gold))
    found, right = graded(texts, asked, settings.deadline), settings.rows - settings.rows // 4
    met = found.right == right and found.wall < 10
    return found.row(f"{settings.rows:,} ordinary rows", f"{right} right, < 10 s", met)


def expressions(settings: Chosen) -> Row:
    """None decided by spelling and no gold twice: every row goes to a child and through sympy."""
    texts, asked = [], []
    for i in range(settings.rows):
        n = i // 2 + 2
        texts.append(rf"so we get $\boxed{{\frac{{\sqrt{{{4 * n}}}}}{{{n + i % 2}}} + x}}$.")
        asked.append(problem(rf"x + \frac{{2\sqrt{{{n}}}}}{{{n}}}"))
    found, right = graded(texts, asked, settings.deadline), (settings.rows + 1) // 2
    return found.row(f"{settings.rows:,} expressions, all by algebra", f"{right} right", found.right == right)


def bombs(settings: Chosen) -> Row:
    """Power towers, each beside an ordinary row: rows × deadline ÷ workers, and every neighbour right."""
    texts = [TOWER, r"\boxed{\sqrt{12}}"] * settings.bombs
    limit = settings.bombs * settings.deadline / WORKERS
    found = graded(texts, [problem(r"2\sqrt{3}")] * len(texts), settings.deadline)
    name = f"{settings.bombs} bombs among {settings.bombs} ordinary rows"
    wanted = f"{settings.bombs} right, {limit:g} s and the first start"
    return found.row(name, wanted, found.right == settings.bombs and found.wall < limit + 3)


def with_answers(path: Path) -> list[dict[str, str]]:
    """Those rows of a data set that state an answer."""
    lines = map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])
    return [row for row in lines if row["answer"]]


def own_solutions(path: Path, wanted: int, deadline: float) -> Row:
    """Each solution as the prediction, its own answer as the gold."""
    chosen = with_answers(path)
    asked = [problem(row["answer"], row["id"], row["problem"]) for row in chosen]
    found = graded([row["solution"] for row in chosen], asked, deadline)
    return found.row(f"{path.stem}: own solutions", f"≥ {wanted:,} right", found.right >= wanted)


def next_answers(path: Path, deadline: float) -> Row:
    """The next problem's answer as the prediction: right only where the two say the same."""
    chosen = with_answers(path)
    asked = [problem(row["answer"], row["id"], row["problem"]) for row in chosen]
    answers = [row["answer"] for row in chosen[1:] + chosen[:1]]
    found = graded([rf"\boxed{{{answer}}}" for answer in answers], asked, deadline)
    pairs = zip(asked, answers, found.verdicts, strict=True)
    odd = [(p.answer, a) for p, a, v in pairs if v.correct and "".join(p.answer.split()) != "".join(a.split())]
    name = f"{path.stem}: {found.right} right, {len(odd)} of them spelled otherwise"
    return found.row(name, "≤ 12 otherwise", len(odd) <= 12, [f"{answer} for {gold}" for gold, answer in odd])


def second_grader(path: Path, deadline: float) -> Row:
    """math-verify's own verdict beside ours."""
    chosen = with_answers(path)
    asked = [problem(row["answer"], row["id"], row["problem"]) for row in chosen]
    found = graded([row["solution"] for row in chosen], asked, deadline, audit=True)
    audit = found.grader.audit
    name = f"{path.stem}: audit, {audit.differing} of {audit.compared:,} differ"
    return found.row(name, "≤ 1%", (audit.rate or 0.0) <= 0.01, [row.id for row in audit.rows])


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Every part whose data are there."""
    for part in (ordinary, expressions, bombs):
        yield Measurement("parts", {"part": part.__name__}, partial(part, settings))
    for stem, wanted in (("math_test", 4990), ("math_train", 7480)):
        path = settings.data / f"{stem}.jsonl"
        if path.exists():
            parts = {
                "own_solutions": partial(own_solutions, path, wanted, settings.deadline),
                "next_answers": partial(next_answers, path, settings.deadline),
                "second_grader": partial(second_grader, path, settings.deadline),
            }
            yield from (Measurement("parts", {"part": f"{stem}, {name}"}, part) for name, part in parts.items())


def table(record: Record) -> str:
    """Part by part: what was asked, found and spent."""
    lines = [
        [
            *(row["name"], f"{row['rows']:,}", f"{row['right']:,}", f"{row['wall']:.1f}", f"{row['cpu']:.1f}"),
            *(row["wanted"], "yes" if row["met"] else "NO"),
        ]
        for row in record.rows("parts")
    ]
    return markdown.table(["part", "rows", "right", "seconds", "of processors", "wanted", "met"], lines)


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()
