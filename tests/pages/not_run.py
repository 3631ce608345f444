"""Commands of the pages that no test runs: they are parsed, and their configurations composed.

`python -m tests.pages.not_run > docs/commands-not-run.md` lists them.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise

from tests.pages.blocks import NEEDS, PAGES, ROOT, Block, blocks_of

PAGE = ROOT / "docs" / "commands-not-run.md"
COMPOSED = {"train": "train", "eval": "eval", "sft": "sft", "variance": "variance"}
LAUNCHERS = {"srun", "exec", "nohup", "do", "then", "time"}
SEPARATORS = {";", "&&", "||", "|", "&", ";;"}
HEAD = """# Commands that no test runs

Every block of commands in the pages is run by `make test-slow`, in the order of its page, but for those below. Each of
these needs something that the tests have not; their settings are composed and their options parsed instead.
Made by `make docs`.

| page | needs | begins with |
|---|---|---|
"""


def blocks_not_run() -> list[Block]:
    """Return the blocks of commands that are not run, of all pages."""
    return [block for page in PAGES for block in blocks_of(page) if block.commands and block.need]


def page() -> str:
    """Return the text of docs/commands-not-run.md."""
    return HEAD + "".join(_row(block) for block in blocks_not_run())


def _row(block: Block) -> str:
    lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
    first = lines[0].partition("  #")[0].rstrip(" \\").replace("|", "\\|")
    more = f" … ({len(lines)} lines)" if len(lines) > 1 else ""
    name = block.page.relative_to(ROOT)
    return f"| {name} | {NEEDS[block.need]} | `{first}`{more} |\n"


def commands_of(text: str) -> list[list[str]]:
    """Return the words of each command in a block; launchers, variables, comments and omissions (…) left out."""
    commands = []
    for line in re.sub(r"\\\n", " ", _without_documents(text)).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split, lexer.commenters = True, "#"
        for words in filter(None, map(_program, _split(list(lexer)))):
            wrapped = [after for before, after in pairwise(words) if before == "--wrap"]
            commands += commands_of(wrapped[0]) if wrapped else [words]
    return commands


def _without_documents(text: str) -> str:
    """Return a block without its here-documents."""
    return re.sub(r"<<'(\w+)'.*?\n\1\n", "\n", text, flags=re.DOTALL)


def _split(words: list[str]) -> Iterator[list[str]]:
    """Yield the commands of a line."""
    command: list[str] = []
    for word in [*words, ";"]:
        if word in SEPARATORS:
            yield command
            command = []
        else:
            command.append(word)


def _program(words: list[str]) -> list[str]:
    """Return a command from its program on."""
    kept = [word for word in words if word not in ("…", "$@")]
    while kept and (kept[0] in LAUNCHERS or re.match(r"[A-Z_]+=", kept[0])):
        kept = kept[1:]
    if kept and kept[0] == "torchrun":
        return ["tvo", *kept[kept.index("tvo_cli") + 1 :]]
    return kept


def check_command(words: list[str]) -> None:
    """Raise where a command of ours cannot work: its options, its configuration, its target or its module."""
    program, *rest = words
    checks = {"tvo": _check_tvo, "make": _check_make, "pip": _check_pip, "python": _check_python, "sh": _check_script}
    if program in checks:
        checks[program](rest)


def _check_tvo(words: list[str]) -> None:
    """Parse the options; compose the first and the last job of what trains or evaluates."""
    from tvo_cli import config
    from tvo_cli.cli.dry_run import jobs_of_command_line
    from tvo_cli.config.evaluation_choices import suites_to_evaluate_as_list

    root = COMPOSED.get(words[0] if words else "")
    if root is None:
        _parse_options(words)
        return
    overrides = [suites_to_evaluate_as_list(word) if root == "eval" else word for word in _overrides(words[1:])]
    jobs, name = jobs_of_command_line(overrides, root)
    for job in (jobs[0], jobs[-1]):
        config.compose(job, name)


def _overrides(words: list[str]) -> list[str]:
    """Return what Hydra reads: our own options and their values left out."""
    with_value = {"--ranks", "--limit", "--ids", "--regrade"}
    taken = {n + 1 for n, word in enumerate(words) if word in with_value}
    return [w for n, w in enumerate(words) if n not in taken and (w == "-m" or not w.startswith("-"))]


def _parse_options(words: list[str]) -> None:
    """Parse the options of a command that composes nothing."""
    import typer.main

    from tvo_cli.cli.main import app

    group = typer.main.get_command(app)
    _, command, rest = group.resolve_command(group.make_context("tvo", ["--"], resilient_parsing=True), words)  # type: ignore[attr-defined]
    command.make_context(words[0], rest)


def _check_make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert words[0] in targets, f"make has no target {words[0]}"


def _check_pip(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [name for word in words for extras in re.findall(r"\[(.*)\]", word) for name in extras.split(",")]
    assert set(asked) <= set(project["optional-dependencies"]), f"no such extras: {asked}"


def _check_python(words: list[str]) -> None:
    assert words[0] != "-m" or importlib.util.find_spec(words[1]), f"no module {words[1]}"


def _check_script(words: list[str]) -> None:
    assert (ROOT / words[0]).exists(), f"no script {words[0]}"


if __name__ == "__main__":
    print(page(), end="")
