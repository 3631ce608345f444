"""Our recipes beside their authors' released code: the same loss, the same gradient, on random batches.

    python -m benchmarks.authors --checkouts FOLDER       FOLDER/OWNER/NAME are clones; a row says which are wanted

Of each repository single functions are run, from a file at a commit that is named here, without the packages around
them; nothing of the repository is imported. A difference is relative: of the loss to its size (at least 1), of the
gradient to the authors' greatest entry. Where the two are known to differ, the row says by what.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from benchmarks.authors import recipes
from benchmarks.authors.comparison import AGREED, Comparison
from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement, Skipped
from benchmarks.harness.collection import say
from benchmarks.harness.record import Record, flag, group, number, text
from benchmarks.harness.settings import Settings, option

MODULES = [import_module(f"{recipes.__name__}.{found.name}") for found in iter_modules(recipes.__path__)]
COMPARISONS: list[Comparison] = sorted(
    (each for module in MODULES for each in module.COMPARISONS), key=lambda each: each.recipe
)
TABLES = {
    "recipes": {
        "recipe": text("algorithm=…"),
        "repository": text("OWNER/NAME of the authors' code"),
        "what": text("what is compared"),
        "code": text("file and definitions that are run"),
        "commit": text("of the repository"),
        "batches": number("random batches, of seeds from 0 on", "1"),
        "loss": number("greatest difference of the loss, relative to its size", "1"),
        "gradient": number("greatest difference of the gradient, relative to the authors' greatest entry", "1"),
        "greatest": number("the authors' greatest entry of a gradient: not 0, or nothing was compared", "1"),
        "agrees": flag(f"whether both differences are at most {AGREED:g}"),
        "differs": text("where ours is known to differ from the code; empty: nowhere"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    checkouts: Path = option(Path("outputs/authors"), "folder with clones, each at OWNER/NAME")
    batches: int = option(20, "random batches a comparison, of seeds from 0 on", gt=0)


QUICK = {"batches": 2}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Each recipe whose authors' code is at hand."""
    there = [each for each in COMPARISONS if (settings.checkouts / each.released.repository).is_dir()]
    if not there:
        raise Skipped(f"{settings.checkouts} holds no clone of {', '.join(sorted(repositories()))}")
    for name in sorted(repositories() - {each.released.repository for each in there}):
        left = sorted({each.recipe for each in COMPARISONS if each.released.repository == name})
        say(f"no clone of {name} in {settings.checkouts}: {', '.join(left)} not compared with it")
    for each in there:
        key = {"recipe": each.recipe, "repository": each.released.repository, "what": each.what}
        yield Measurement("recipes", key, partial(each.row, settings.checkouts, range(settings.batches)))


def repositories() -> set[str]:
    """OWNER/NAME of all that is compared with."""
    return {each.released.repository for each in COMPARISONS}


def table(record: Record) -> str:
    """A comparison a line, then the repositories."""
    lines = [
        [
            f"`{row['recipe']}`",
            row["repository"],
            row["what"],
            *(f"{row[name]:.1e}" for name in ("loss", "gradient")),
            "yes" if row["agrees"] else "NO",
            row["differs"],
        ]
        for row in record.rows("recipes")
    ]
    heads = ["recipe", "code of", "compared", "loss", "gradient", "agree", "known to differ"]
    return markdown.table(heads, lines) + "\n\n" + _repositories(record)


def _repositories(record: Record) -> str:
    """Whose code was run, at which commit; file and definition by definition it is in the record."""
    lines = [
        [repository, commit, ", ".join(dict.fromkeys(f"`{row['recipe']}`" for row in rows))]
        for (repository, commit), rows in sorted(group(record.rows("recipes"), "repository", "commit").items())
    ]
    return markdown.table(["repository", "commit", "recipes"], lines)


BENCHMARK = Benchmark("authors", __doc__, Chosen, QUICK, TABLES, measure, table)
