"""What others wrote is shown, not obeyed: on a terminal, in Markdown, in LaTeX, in a page, in a figure."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import escaping

HOSTILE = [
    "\x1b[2J\x1b]0;title\x07cleared",
    "\x9b31mred\x9b0m",
    "right\rwrong",
    "wrong\b\b\b\b\bright",
    "abc\u202edcba\u202c \u2066x\u2069",
    "half \ud83d a pair",
    "two\nlines\tand\u2028more\u0085",
    "a | b || `c` ``d``",
    "[click](http://evil.example) ![x](y) <http://evil.example> http://evil.example www.evil.example",
    "[ref]: http://evil.example",
    "<script>alert(1)</script> &lt;b&gt; <!-- -->",
    "*bold* __bold__ ~~gone~~ # no $x^2$ & co",
    "# heading #",
    "> quoted",
    "- item",
    "+ item",
    "1. first",
    "2) second",
    "---",
    "===",
    "[x] done",
    "    indented",
    r"back\slash \| \[x\](y)",
    "[red]markup[/red] [/]",
    "x_1^2 ~ {a} \\end{document} %comment",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_is_given_printable_characters_alone(text: str) -> None:
    shown = escaping.terminal(text)
    assert shown.isprintable() and shown.encode("utf-8")
    assert escaping.terminal(shown) == shown, "what is safe stays as it is"


def test_what_was_there_can_still_be_read() -> None:
    assert escaping.terminal("a\x1b[31m\x9bb\r\n\u202ec\ud83d") == r"a\x1b[31m\x9bb\r\n\u202ec\ud83d"
    assert escaping.lines("a\n\tb\r\x1b") == "a\n\tb\\r\\x1b"
    assert escaping.terminal(r"\frac{1}{2} – π ≤ 数学 👩‍🔬 é") == r"\frac{1}{2} – π ≤ 数学 👩‍🔬 é"


@pytest.mark.parametrize("frame", ["{}", "- {}", "# {}", "**x {} y**", "> {}"])
@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_is_read_back_as_the_text(text: str, frame: str) -> None:
    from markdown_it import MarkdownIt

    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(frame.format(escaping.markdown(text)))
    inside = re.sub(r"</?(p|ul|li|h1|blockquote|strong)>", "", rendered)
    assert "<" not in inside, rendered
    wanted = frame.strip("-#>* ").replace("**", "").format(escaping.terminal(text).strip())
    assert " ".join(html.unescape(inside).split()) == " ".join(wanted.split())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_of_a_markdown_table_is_one_cell(text: str) -> None:
    from markdown_it import MarkdownIt

    page = "\n".join(escaping.escaped_markdown_table(["run", "state"], [[text, "failed"]]))
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(page)
    cells = re.findall(r"<td>(.*?)</td>", rendered, re.DOTALL)
    assert len(cells) == 2 and cells[1] == "failed" and "<" not in cells[0]
    assert " ".join(html.unescape(cells[0]).split()) == " ".join(escaping.terminal(text).split())


def test_no_web_address_is_made_a_link() -> None:
    """GitHub links bare addresses by what stands in the source."""
    shown = escaping.markdown("http://a.b https://a.b www.a.b mailto:a ](x")
    assert not re.search(r"https?://|www\.a|mailto:a|(?<!\\)\]\(", shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_latex_has_no_special_character_left(text: str) -> None:
    left = re.sub(
        r"\\char\d+\{\}|\\[a-zA-Z]+(\{\})?|\\[&%$#_{}]|\$[<>|]\$|^\{\}|(?<=[-',])\{\}", "", escaping.latex(text)
    )
    assert not set(left) & set("\\{}$&#^_~%") and left.isascii()
    assert not escaping.latex(text).startswith(("[", "*")), "either is an argument of the row's end before it"


def test_latex_keeps_letters_and_names_what_it_lacks() -> None:
    assert escaping.latex("é Š ß ø") == r"\'{e} \v{S} \ss{} \o{}"
    assert escaping.latex(unicodedata.normalize("NFD", "é")) == r"\'{e}"
    assert escaping.latex("α ≤ β²") == r"$\alpha$ $\le$ $\beta$$^2$"
    assert escaping.latex("数 😀") == "{}[U+6570] [U+1F600]"
    assert escaping.latex("a--b ''") == "a-{}-b '{}'"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex")
def test_pdflatex_takes_all_of_it(tmp_path: Path) -> None:
    known = [*HOSTILE, "".join(escaping.TEXTS), "αβγ é ñ ü ő ş ą ﬁ ½ 数学 😀", "".join(map(chr, range(32, 0x250)))]
    rows = "\\\\\n".join(f"{escaping.latex(text)} & {escaping.latex(text)}" for text in known)
    table = f"\\begin{{tabular}}{{p{{8cm}}p{{8cm}}}}\n{rows}\n\\end{{tabular}}"
    (tmp_path / "t.tex").write_text(f"\\documentclass{{article}}\\begin{{document}}\n{table}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_has_no_markup_of_others(text: str) -> None:
    shown = escaping.html(text)
    assert not set(shown) & set("<>\"'") and html.unescape(shown) == escaping.lines(text)


@pytest.mark.parametrize("text", [*HOSTILE, "$a$b$", r"\$5", "$\\frac{$", "_private"])
def test_a_label_of_a_figure_is_no_formula(text: str) -> None:
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 2))
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    axes.plot([0, 1], label=escaping.figure(text))
    axes.set_title(escaping.figure(text))
    assert axes.get_legend_handles_labels()[1] == [escaping.figure(text)]
    axes.legend()
    assert not axes.title._preprocess_math(axes.title.get_text())[1], "read as a formula"
    figure.savefig(BytesIO(), format="png")
