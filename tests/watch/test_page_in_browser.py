"""The page in a real browser, when there is one: seen in light, dark and on a phone, live, collapsed and hostile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser import BROWSER, browse, colours, console
from tests.watch.conftest import HOSTILE, serving, write_responses
from tvo_cli.tracking.metrics_file import metrics_line
from tvo_cli.watch import server as server_module
from tvo_cli.watch.server import WatchServer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BROWSER, reason="no chromium")]
Write = Callable[..., Path]
PATIENTLY = "--virtual-time-budget=8000"  # milliseconds of the page's own clock


@pytest.fixture
def server(write_run: Write, tmp_path: Path) -> Iterator[WatchServer]:
    """A healthy run, a collapsed one, and one whose name and completions are hostile."""
    write_run("sweep/healthy")
    write_run("sweep/collapsed", algorithm="grpo", collapsed_at=4)
    write_responses(write_run("sweep/<b>bold", seed=1), 9, [{"completion": HOSTILE, "question": HOSTILE, "reward": 0}])
    with serving(tmp_path / "runs") as found:
        yield found


def with_script(server: WatchServer, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a script of the test's own run after the page's."""
    monkeypatch.setitem(
        server_module.HEADERS, "Content-Security-Policy", "default-src 'self' 'unsafe-inline'; img-src data:"
    )
    server.page = server.page.replace(b"</body>", b"<script>" + script.encode() + b"</script></body>")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400], ids=["wide", "phone"])
def test_it_is_seen_and_nothing_complains(server: WatchServer, tmp_path: Path, dark: bool, width: int) -> None:
    picture = tmp_path / "seen.png"
    done = browse(server.url, f"--screenshot={picture}", PATIENTLY, dark=dark, width=width)
    assert console(done) == []
    found = colours(picture)
    assert len(found) > 200 and (sum(found[0][1]) < 150) == dark


def test_what_a_model_wrote_is_text(server: WatchServer) -> None:
    done = browse(server.url, "--dump-dom", PATIENTLY)
    body = done.stdout
    shown = body[body.index('id="responses"') : body.index('id="tip"')]
    assert console(done) == [] and "<title>tvo watch</title>" in body
    assert "&lt;script&gt;document.title" in shown and "<script>" not in shown and "<img" not in shown
    assert "\\x1b[31mred" in shown and "\\u202egnp.exe" in shown and "sweep/&lt;b&gt;bold" in body


def test_states_and_where_a_run_collapsed_are_told(server: WatchServer) -> None:
    body = browse(server.url, "--dump-dom", PATIENTLY).stdout
    assert "3 runs: 2 finished, 1 collapsed" in body or "3 runs: 1 collapsed, 2 finished" in body
    assert "collapsed at 4" in body and 'class="state collapsed"' in body


def test_the_values_under_the_pointer_are_told(server: WatchServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pointed = """setTimeout(() => {
      const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect();
      const x = box.left + 54 + (box.width - 64) * 4 / 9;
      canvas.dispatchEvent(new PointerEvent("pointermove", {clientX: x, clientY: box.top + 50}));
    }, 4000);"""
    with_script(server, pointed, monkeypatch)
    body = browse(server.url, "--dump-dom", PATIENTLY).stdout
    tip = re.sub(r"<[^>]+>", " ", body[body.index('id="tip"') : body.index("<noscript")])
    assert "step 4" in tip and tip.count(" 0.4 ") == 3 and "collapse at step 4: reward_drop" in tip


def test_a_run_is_followed_while_it_runs(server: WatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is open; then a run adds a step, and another begins."""
    runs, real = tmp_path / "runs" / "sweep", server.folder.curves
    answers: list[object] = []

    def curves(*asked: object) -> object:
        found = real(*asked)  # type: ignore[arg-type]
        if not answers:
            with (runs / "healthy" / "metrics.jsonl").open("a") as file:
                file.write(metrics_line(10, {"reward/mean": 1.0}))
        answers.append(found)
        return found

    monkeypatch.setattr(server.folder, "curves", curves)
    with_script(server, "for (let n = 1; n < 4; n++) setTimeout(ask, 1500 * n);", monkeypatch)
    body = browse(server.url, "--dump-dom", PATIENTLY).stdout
    assert len(answers) >= 2 and ">10/9<" in body


def test_a_request_to_somebody_else_would_be_seen(server: WatchServer) -> None:
    """The control: the test could see one."""
    server.page = server.page.replace(b"</body>", b'<img src="http://example.invalid/x.png"></body>')
    assert any("Content Security Policy" in line for line in console(browse(server.url, "--dump-dom", PATIENTLY)))


@pytest.mark.parametrize("width", [500, 1200])
def test_nothing_is_wider_than_the_screen(server: WatchServer, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    measured = """setTimeout(() => {
      document.title = `${document.documentElement.scrollWidth} of ${window.innerWidth}`;
    }, 4000);"""
    with_script(server, measured, monkeypatch)
    body = browse(server.url, "--dump-dom", PATIENTLY, width=width).stdout
    [(wide, seen)] = re.findall(r"<title>(\d+) of (\d+)</title>", body)
    assert int(wide) <= int(seen) == width
