"""Papers and the recipes after them, from the comment lines of conf/algorithm, as docs/papers.md shows them.

`python -m tests.paper_table > docs/papers.md` makes the page anew; tests/pages/test_papers.py holds it to the yamls.
"""

from __future__ import annotations

import re
from collections import defaultdict

from tvo_cli import config

HEAD = """# Papers and recipes

Made by `make docs` from the comment lines of `conf/algorithm/*.yaml`: do not edit. `tvo train algorithm=NAME` is the
recipe; a name with an underscore is a part that recipes include ([combining](combining.md)). How faithful each is:
[algorithms](algorithms.md).

| paper | recipe | what it is | passes over a batch |
|---|---|---|---|
"""
PASSES = re.compile(r"^# Passes: (.+)$", re.MULTILINE)
OWN = "none: this project, or common practice"


def page() -> str:
    """The page: a row a recipe, by paper; the project's own last."""
    rows = [row for paper, names in sorted(recipes_by_paper().items(), key=_own_last) for row in _rows(paper, names)]
    return HEAD + "".join(rows)


def recipes_by_paper() -> dict[str, list[str]]:
    """The recipes and parts of each paper that a comment line names."""
    found = defaultdict(list)
    for path in sorted((config.conf_dir() / "algorithm").glob("*.yaml")):
        if path.stem != "_base":
            found[_about(path.stem).paper or OWN].append(path.stem)
    return found


def _own_last(entry: tuple[str, list[str]]) -> tuple[bool, str]:
    return entry[0] == OWN, entry[0]


def _about(name: str) -> config.ChoiceDescription:
    return config.parse_choice_comment(config.choice_comment("algorithm", name))


def _rows(paper: str, names: list[str]) -> list[str]:
    number = paper.removeprefix("arXiv:")
    link = f"[{paper}](https://arxiv.org/abs/{number})" if number != paper else paper
    return [
        f"| {link} | `{name}` | {_cell(_about(name).what)} | {_cell(passes_of(name))} |\n" for name in sorted(names)
    ]


def passes_of(name: str) -> str:
    """What a recipe's `Passes:` line says; "" where it has none."""
    found = PASSES.search((config.conf_dir() / "algorithm" / f"{name}.yaml").read_text(encoding="utf-8"))
    return found.group(1) if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
