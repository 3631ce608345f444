"""Tables: on a terminal, in a pipe, as Markdown; cells are data."""

from __future__ import annotations

import re
import sys

import pytest

from tvo_cli.cli import printing
from tvo_cli.errors import UserError

HOSTILE = "a\x1b[2J|`b`\r[red]c[/red]\n<i>\u202e"


@pytest.mark.parametrize("room", range(20, 130))
def test_columns_fit_and_the_short_ones_are_whole(room: int) -> None:
    natural = [36, 11, 5, 6, 60, 40]
    widths = printing.fit_column_widths(natural, room, least=12)
    assert sum(widths) + printing.GAP * (len(widths) - 1) <= room and len(widths) >= 1
    if len(widths) >= 4:
        assert widths[1:4] == [11, 5, 6]
    assert max(widths) >= 12 or len(widths) == 1
    whole = [width for width, wanted in zip(widths, natural, strict=False) if width == wanted]
    assert all(width <= max(widths) for width in whole)


def test_what_fits_is_left_as_it_is() -> None:
    assert printing.fit_column_widths([3, 4], 80) == [3, 4] and printing.fit_column_widths([30, 30], 50) == [24, 23]


@pytest.mark.parametrize("form", ["pipe", "terminal", "markdown"])
def test_a_cell_is_shown_and_not_obeyed(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: form == "terminal")
    printing.print_table(("run", "text"), [[HOSTILE, HOSTILE]], markdown=form == "markdown", headed=True)
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert all(line.isprintable() for line in shown.splitlines())
    if form == "markdown":
        assert shown.splitlines()[2].count(r"a\\x1b[2J\|\`b\`\\r[red]c[/red]\\n\<i>\\u202e") == 2
    else:
        assert shown.count(r"a\x1b[2J|`b`\r[red]c[/red]\n<i>\u202e") == 2


def test_an_error_quotes_and_does_not_obey(capsys: pytest.CaptureFixture[str]) -> None:
    assert printing.report_failure(UserError("model.path", "m\x1b[31m\x9bK\u202e", "no such folder.")) == 2
    assert capsys.readouterr().err == "tvo: model.path=m\\x1b[31m\\x9bK\\u202e: no such folder.\n"
    assert printing.report_failure(RuntimeError("b\x1b]0;t\x07")) == 1
    assert not {"\x1b", "\x07"} & set(capsys.readouterr().err)


def test_names_stand_beside_what_they_mean(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printing.print_definitions([("one", "word " * 12), ("a-longer-name", "short")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40 and lines[0].startswith("one            word")
    assert lines[1].startswith("               word") and lines[-1] == "a-longer-name  short"
