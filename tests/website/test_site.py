"""The site: built without a warning, each link and anchor leads somewhere, nothing is loaded from another server."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent.parent
SPHINX = pytest.mark.skipif(find_spec("sphinx") is None, reason="pip install -e '.[docs]' (make test-slow does)")
LOADING = {"img": "src", "script": "src", "iframe": "src", "source": "src", "link": "href"}


class Loaded(HTMLParser):
    """What a page loads, where it links to, and its anchors."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given.get("id", ""), given.get("name", "")}
        if tag in LOADING and LOADING[tag] in given:
            self.loads.append(given[LOADING[tag]])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


def build(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    words = ("-m", "sphinx", "-q", "--keep-going", "--fail-on-warning", "-c", str(ROOT / "website"), "-b", "html")
    return subprocess.run([sys.executable, *words, str(docs), str(out)], text=True, capture_output=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Loaded]:
    return {page.resolve(): Loaded(page) for page in site.rglob("*.html")}


@pytest.mark.slow
@SPHINX
def test_no_page_loads_anything_from_another_server(pages: dict[Path, Loaded]) -> None:
    found = {page.name: [at for at in parts.loads if re.match(r"(https?:)?//", at)] for page, parts in pages.items()}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


@pytest.mark.slow
@SPHINX
def test_every_file_and_anchor_is_there(pages: dict[Path, Loaded]) -> None:
    missing = []
    for page, parts in pages.items():
        for address in [*parts.loads, *parts.links]:
            if not re.match(r"[a-z]+:", address):
                path, _, anchor = unquote(address).partition("#")
                target = (page.parent / path.partition("?")[0]).resolve() if path else page
                known = pages[target].anchors if target in pages else {anchor}
                missing += [f"{page.name}: {address}"] if not target.exists() or anchor not in known else []
    assert missing == []


@pytest.mark.slow
@SPHINX
def test_the_reference_has_the_mathematics_and_the_diagrams_are_pictures(site: Path) -> None:
    reference = (site / "reference.html").read_text(encoding="utf-8")
    assert "1 / (1 + (D/δ)²)" in reference and "tvo_cli.methods.gspo" in reference
    assert (
        len(
            re.findall(
                r'aria-label="flowchart[^"]*"[^>]*><svg id="diagram-',
                (site / "architecture.html").read_text(encoding="utf-8"),
            )
        )
        == 2
    )


@pytest.mark.slow
@SPHINX
def test_whatever_leads_nowhere_is_told_and_ends_the_build(tmp_path: Path) -> None:
    (docs := tmp_path / "docs").mkdir()
    (docs / "index.md").write_text("# Site\n\n```{toctree}\nother\n```\n", encoding="utf-8")
    (docs / "other.md").write_text("# Other\n\n## There\n\n[good](#there)\n", encoding="utf-8")
    assert build(docs, tmp_path / "good").returncode == 0
    links = ["[a](nosuch.md)", "[a](other.md#nosuch)", "[a](#nosuch)", "![a](nosuch.png)"]
    page = "\n".join(["# Other", *links, "```mermaid", "flowchart LR", "  a --=>> [", "```", ""])
    (docs / "other.md").write_text(page.replace("\n", "\n\n", 5), encoding="utf-8")
    done = build(docs, tmp_path / "bad")
    told = {int(line) for line in re.findall(r"other\.md:(\d+): WARNING", done.stderr)}
    assert done.returncode != 0 and told == {3, 5, 7, 9, 11}
