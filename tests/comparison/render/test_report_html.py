"""The report in a real browser, when there is one: nothing complains, nothing is asked for, something is seen."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import browser
from tests.browser import BROWSER, console
from tests.comparison.conftest import made, write_run
from tvo_cli.comparison.render import report_files

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BROWSER, reason="no chromium")]


def browse(page: Path, *words: str, dark: bool = False, width: int = 1200) -> subprocess.CompletedProcess[str]:
    return browser.browse(page.as_uri(), *words, dark=dark, width=width)


@pytest.fixture
def page(written: Path) -> Path:
    return written / "report.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400], ids=["wide", "narrow"])
def test_it_is_seen_and_nothing_complains(page: Path, tmp_path: Path, dark: bool, width: int) -> None:
    from PIL import Image

    done = browse(page, f"--screenshot={tmp_path / 'seen.png'}", dark=dark, width=width)
    assert console(done) == []
    picture = Image.open(tmp_path / "seen.png").convert("RGB")
    counts: list[Any] = sorted(picture.getcolors(picture.width * picture.height) or [], reverse=True)
    assert len(counts) > 200  # not blank
    assert (sum(counts[0][1]) < 150) == dark  # the page's own colour
    verdict = picture.crop((0, 0, picture.width, 400))
    assert len(set(verdict.convert("L").tobytes())) > 30


def test_a_request_would_be_refused_and_seen(page: Path) -> None:
    """The control: this test could see a request."""
    leaky = page.with_name("leaky.html")
    leaky.write_text(page.read_text().replace("</body>", '<img src="http://example.invalid/x.png"></body>'))
    assert any("Content Security Policy" in line for line in console(browse(leaky, "--dump-dom")))


def test_tables_sort_by_a_click(page: Path) -> None:
    clicks = 'document.querySelectorAll("th button")[7].click();'
    clicked = page.with_name("clicked.html")
    text = page.read_text()
    end = text.rindex("</script>")
    finals = []
    for times in (1, 2):
        clicked.write_text(text[:end] + clicks * times + text[end:])
        seen = browse(clicked, "--dump-dom").stdout
        first = seen[seen.index("<tbody>") : seen.index("</tbody>")]
        rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in first.split("</tr>")[:-1]]
        finals.append([float(row[7].split()[0]) for row in rows])
    assert finals[0] == sorted(finals[0]) and finals[1] == finals[0][::-1] and len(finals[0]) == 3


def test_no_column_of_the_first_table_is_cut(tmp_path: Path) -> None:
    """Ten seeds an arm, some collapsed: the widest first table there is."""
    for algorithm in ("grpo", "reinforce_plus_baseline", "tvo"):
        for rate in (1e-4, 3e-4):
            for seed in range(10):
                write_run(tmp_path, algorithm, seed, 0.512 + seed / 100, lr=rate, collapsed_at=3 if seed % 2 else None)
    report_files.write_report_folder(made(tmp_path), tmp_path / "report")
    measured = tmp_path / "report" / "measured.html"
    script = 'const t = document.querySelector(".scroll"); document.title = `${t.scrollWidth} ${t.clientWidth}`;'
    text = (tmp_path / "report" / "report.html").read_text()
    end = text.rindex("</script>")
    measured.write_text(text[:end] + script + text[end:])
    [(wide, seen)] = re.findall(r"<title>(\d+) (\d+)</title>", browse(measured, "--dump-dom").stdout)
    assert int(wide) <= int(seen)
