"""What grading costs and what it misses: throughput, a file of bombs, MATH's golds against their own solutions.

    python -m benchmarks.grading                          the table
    python -m benchmarks.grading --json FILE              and the numbers
    python -m benchmarks.grading --data ../shared/data    where math_test.jsonl and math_train.jsonl are

Every part goes through `tvo_cli.reward.Grader` with two workers, the child processes started anew.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tvo_cli.reward import Grader
from tvo_cli.types import Problem, Verdict

WORKERS = 2
DEADLINE = 5.0
ORDINARY = 1000
BOMBS = 12
TOWER = r"\boxed{\sqrt{9^{9^{9^{9^{9}}}}}}"
DATA = Path(__file__).parents[2] / "shared/data"


class Spent(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float  # of the processors, children included: what does not depend on who else is at work


class Part(NamedTuple):
    """One line of the table."""

    name: str
    rows: int
    right: int
    spent: Spent
    wanted: str
    met: bool
    notes: dict[str, Any]


def graded(texts: Sequence[str], asked: Sequence[Problem], **settings: Any) -> tuple[list[Verdict], Spent, Grader]:
    """Verdicts and what they cost, start of the children included."""
    wall, cpu = time.monotonic(), processor_seconds()
    with Grader({"workers": WORKERS, "deadline": DEADLINE, **settings}) as grader:
        verdicts = grader.grade(texts, asked, [True] * len(texts))
        wall = time.monotonic() - wall
    return verdicts, Spent(wall, processor_seconds() - cpu), grader


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def problem(gold: str, id: str = "row", question: str = "") -> Problem:
    """A gold to grade against."""
    return Problem(id, question, gold, source="benchmark")


def part(name: str, texts: Sequence[str], asked: Sequence[Problem], wanted: str, met: Callable[..., bool]) -> Part:
    """Grade and judge against what was wanted: met(right, seconds)."""
    verdicts, spent, grader = graded(texts, asked)
    right = sum(verdict.correct for verdict in verdicts)
    reasons = dict(Counter(verdict.reason for verdict in verdicts).most_common())
    notes = {"reasons": reasons, "failures": dict(grader.counts)}
    return Part(name, len(texts), right, spent, wanted, met(right, spent.wall), notes)


def ordinary() -> Part:
    """Two fifths numbers, then lists, fractions and roots; a quarter of the rows wrong."""
    texts, asked = [], []
    for i in range(ORDINARY):
        n, off = i + 2, int(i % 4 == 3)
        root = rf"\sqrt{{{4 * (n % 97 + 2) + off}}}", rf"2\sqrt{{{n % 97 + 2}}}"
        forms = (str(n + off), str(n)), (rf"\dfrac{{{2 * n + off}}}{{4}}", rf"\frac{{{n}}}{{2}}")
        lists = f"{n + off}, -{n}", f"-{n}, {n}"
        said, gold = (forms[0], lists, forms[0], forms[1], root)[i % 5]
        texts.append(rf"so we get $\boxed{{{said}}}$.")
        asked.append(problem(gold))
    return part("1,000 ordinary rows", texts, asked, "750 right, < 10 s", lambda r, s: r == 750 and s < 10)


def expressions() -> Part:
    """None decided by spelling and no gold twice: every row goes to a child and through sympy."""
    texts, asked = [], []
    for i in range(ORDINARY):
        n = i // 2 + 2
        texts.append(rf"so we get $\boxed{{\frac{{\sqrt{{{4 * n}}}}}{{{n + i % 2}}} + x}}$.")
        asked.append(problem(rf"x + \frac{{2\sqrt{{{n}}}}}{{{n}}}"))
    return part("1,000 expressions, all by algebra", texts, asked, "500 right", lambda r, _: r == 500)


def bombs() -> Part:
    """Power towers, each beside an ordinary row: rows × deadline ÷ workers, and every neighbour right."""
    texts = [TOWER, r"\boxed{\sqrt{12}}"] * BOMBS
    limit = BOMBS * DEADLINE / WORKERS
    name = f"{BOMBS} bombs among {BOMBS} ordinary rows"
    wanted = f"{BOMBS} right, {limit:.0f} s and the first start"
    return part(name, texts, [problem(r"2\sqrt{3}")] * len(texts), wanted, lambda r, s: r == BOMBS and s < limit + 3)


def rows(path: Path) -> list[dict[str, str]]:
    """Those of a data set that state an answer."""
    lines = map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])
    return [row for row in lines if row["answer"]]


def own_solutions(path: Path, wanted: int) -> Part:
    """Each solution as the prediction, its own answer as the gold."""
    chosen = rows(path)
    asked = [problem(row["answer"], row["id"], row["problem"]) for row in chosen]
    texts = [row["solution"] for row in chosen]
    return part(f"{path.stem}: own solutions", texts, asked, f"≥ {wanted:,} right", lambda r, _: r >= wanted)


def strangers(path: Path, shift: int = 1) -> Part:
    """The answer of another problem as the prediction: right only where the two say the same."""
    chosen = rows(path)
    asked = [problem(row["answer"], row["id"], row["problem"]) for row in chosen]
    answers = [row["answer"] for row in chosen[shift:] + chosen[:shift]]
    verdicts, spent, _ = graded([rf"\boxed{{{answer}}}" for answer in answers], asked)
    pairs = zip(asked, answers, verdicts, strict=True)
    odd = [(p.answer, a) for p, a, v in pairs if v.correct and "".join(p.answer.split()) != "".join(a.split())]
    right = sum(verdict.correct for verdict in verdicts)
    spelled = f"{right} right, {len(odd)} of them spelled otherwise"
    return Part(f"{path.stem}: {spelled}", len(asked), right, spent, "≤ 12 otherwise", len(odd) <= 12, {"odd": odd})


def audited(path: Path) -> Part:
    """math-verify's own verdict beside ours."""
    chosen = rows(path)
    asked = [problem(row["answer"], row["id"], row["problem"]) for row in chosen]
    verdicts, spent, grader = graded([row["solution"] for row in chosen], asked, audit=True)
    audit = grader.audit
    name = f"{path.stem}: audit, {audit.differing} of {audit.compared:,} differ"
    notes = {"rate": audit.rate, "ids": [row.id for row in audit.rows]}
    right = sum(verdict.correct for verdict in verdicts)
    return Part(name, len(asked), right, spent, "≤ 1%", (audit.rate or 0.0) <= 0.01, notes)


def measured(data: Path) -> list[Part]:
    """Every part whose data are there."""
    parts = [ordinary(), expressions(), bombs()]
    for name, wanted in (("math_test", 4990), ("math_train", 7480)):
        path = data / f"{name}.jsonl"
        if path.exists():
            parts += [own_solutions(path, wanted), strangers(path), audited(path)]
    return parts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts = measured(options.data)
    print("| part | rows | right | seconds | of processors | wanted | met |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in parts:
        met = "yes" if one.met else "NO"
        print(
            f"| {one.name} | {one.rows:,} | {one.right:,} | {one.spent.wall:.1f} | {one.spent.cpu:.1f} | {one.wanted} | {met} |"
        )
    if options.json:
        options.json.write_text(
            json.dumps([one._asdict() | {"spent": one.spent._asdict()} for one in parts], indent=2, ensure_ascii=False)
            + "\n"
        )
    raise SystemExit(0 if all(one.met for one in parts) else 1)


if __name__ == "__main__":
    main()
