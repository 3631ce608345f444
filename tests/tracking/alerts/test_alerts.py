"""Alerts reach people through a webhook and a command; whatever those do, the run goes on."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import redaction
from tvo_cli.tracking.alerts import alert_sender
from tvo_cli.tracking.alerts.alert import Alert, AlertCooldown
from tvo_cli.tracking.alerts.alert_sender import AlertSender, run_alert_command
from tvo_cli.tracking.alerts.webhook import PAYLOADS, format_of_address
from tvo_cli.tracking.tracker import Tracker

ALERT = Alert("reward_drop", "collapse", 7, "fell from 0.4 to 0.1 <!channel>", "tvo-s0", "outputs/a")
LONG = 60  # seconds: a deadline that no sound machine meets


class Receiver(ThreadingHTTPServer):
    """A webhook on this machine: keeps what it is sent, and answers with `status`, when `may_answer` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status, self.may_answer = 200, threading.Event()
        self.may_answer.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/SECRETPATH"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.may_answer.wait()
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("MY_WEBHOOK", server.address)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.may_answer.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def tracker_with(make_config: Callable[..., Any], tmp_path: Path) -> Callable[..., Tracker]:
    def make(**alerts: Any) -> Tracker:
        return Tracker(make_config(alerts={"deadline": LONG, **alerts}), tmp_path)

    return make


def test_a_rule_that_fires_is_posted_with_all_that_a_program_needs(
    receiver: Receiver, tracker_with: Callable[..., Tracker], tmp_path: Path
) -> None:
    with tracker_with(webhook="MY_WEBHOOK") as tracker:
        tracker.alert("reward_drop", "fell", step=3, severity="collapse")
    (body,) = receiver.bodies
    assert body["title"].startswith("reward_drop at step 3 of ")
    assert {name: body[name] for name in ("rule", "severity", "step", "text", "folder", "repeated")} == {
        "rule": "reward_drop",
        "severity": "collapse",
        "step": 3,
        "text": "fell",
        "folder": str(tmp_path),
        "repeated": 0,
    }


def test_a_run_that_fails_tells_why(receiver: Receiver, tracker_with: Callable[..., Tracker]) -> None:
    with pytest.raises(ZeroDivisionError), tracker_with(webhook="MY_WEBHOOK"):
        raise ZeroDivisionError("no rollouts")
    assert [body["rule"] for body in receiver.bodies] == ["failed"]
    assert receiver.bodies[0]["text"] == "ZeroDivisionError: no rollouts"


def test_an_interrupt_tells_nobody(receiver: Receiver, tracker_with: Callable[..., Tracker]) -> None:
    with pytest.raises(KeyboardInterrupt), tracker_with(webhook="MY_WEBHOOK"):
        raise KeyboardInterrupt
    assert not receiver.bodies


def test_the_least_severity_is_kept_to(receiver: Receiver, tracker_with: Callable[..., Tracker]) -> None:
    with tracker_with(webhook="MY_WEBHOOK", severity="collapse") as tracker:
        tracker.alert("zero_advantage", "all equal", step=1)
        tracker.alert("reward_drop", "fell", step=2, severity="collapse")
    assert [body["rule"] for body in receiver.bodies] == ["reward_drop"]


def test_slack_and_discord_get_their_own_shape_and_nobody_is_called_by_a_text() -> None:
    slack, discord = PAYLOADS["slack"](ALERT), PAYLOADS["discord"](ALERT)
    assert "&lt;!channel&gt;" in slack["text"] and "<!" not in slack["text"]
    assert discord["content"].startswith("reward_drop at step 7 of tvo-s0 (collapse)\nfell")
    assert discord["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(
    "address, form",
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://ptb.discord.com/api/webhooks/1/x", "discord"),
        ("https://example.org/discord.com", "json"),
        ("https://notdiscord.com/api", "json"),
    ],
)
def test_a_service_is_known_by_its_host(address: str, form: str) -> None:
    assert format_of_address(address) == form


def test_a_rule_is_told_again_after_the_cooldown_with_the_count_of_those_between() -> None:
    now = [0.0]
    cooldown = AlertCooldown(600.0, clock=lambda: now[0])
    passed = []
    for now[0] in (0.0, 10.0, 599.0, 600.0):
        passed.append(cooldown.passes("reward_drop"))
    assert passed == [True, False, False, True]
    assert cooldown.held_back("reward_drop") == 2
    assert cooldown.held_back("reward_drop") == 0
    assert cooldown.passes("entropy_floor")


def test_the_console_hears_what_a_cooldown_holds_back(
    receiver: Receiver, tracker_with: Callable[..., Tracker], tmp_path: Path
) -> None:
    with tracker_with(webhook="MY_WEBHOOK", cooldown=3600) as tracker:
        for step in (1, 2):
            tracker.alert("tv_ceiling", f"at {step}", step=step)
    assert [body["text"] for body in receiver.bodies] == ["at 1"]
    assert "tv_ceiling at step 2: at 2" in (tmp_path / "run.log").read_text()


def test_a_webhook_that_answers_an_error_is_said_once_without_its_address_and_tried_again(
    receiver: Receiver, tracker_with: Callable[..., Tracker], tmp_path: Path
) -> None:
    receiver.status = 404
    with tracker_with(webhook="MY_WEBHOOK", cooldown=0) as tracker:
        for step in (1, 2):
            tracker.alert("reward_drop", "fell", step=step)
    said = (tmp_path / "run.log").read_text()
    assert said.count("logger.alerts.webhook: an alert was not sent: it answered 404") == 1
    assert len(receiver.bodies) == 2
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"SECRETPATH" in path.read_bytes()]


def test_a_webhook_out_of_reach_does_not_stop_the_run(
    tracker_with: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        monkeypatch.setenv("MY_WEBHOOK", f"http://127.0.0.1:{taken.getsockname()[1]}/SECRETPATH")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with tracker_with(webhook="MY_WEBHOOK") as tracker:
            tracker.alert("reward_drop", "fell", step=1)
            tracker.log(1, {"reward/mean": 0.1})
    said = (tmp_path / "run.log").read_text()
    assert "logger.alerts.webhook: an alert was not sent" in said and "SECRETPATH" not in said


def test_a_webhook_that_never_answers_delays_neither_a_step_nor_the_end_beyond_the_deadline(
    receiver: Receiver, tracker_with: Callable[..., Tracker], tmp_path: Path
) -> None:
    receiver.may_answer.clear()  # until the test is over: a sender that waited for it would never come back
    with tracker_with(webhook="MY_WEBHOOK", deadline=0.05) as tracker:
        tracker.alert("reward_drop", "fell", step=1)
        tracker.log(1, {"reward/mean": 0.1})
    assert (tmp_path / "metrics.jsonl").read_text().count("reward/mean") == 1
    assert "logger.alerts" in (tmp_path / "run.log").read_text()


def test_a_command_is_given_the_message_and_the_title_without_a_shell(tmp_path: Path) -> None:
    kept = tmp_path / "mail"
    run_alert_command(["sh", "-c", 'printf "%s\\n" "$1" > "$2"; cat >> "$2"', "-", "{title}", str(kept)], ALERT, LONG)
    first, *rest = kept.read_text().splitlines()
    assert first == ALERT.title
    assert rest == ALERT.message.splitlines()


@pytest.mark.parametrize(
    "words, deadline, said",
    [(["sh", "-c", "echo no route >&2; exit 3"], LONG, "code 3: no route"), (["sleep", "60"], 0.01, "0.01 seconds")],
)
def test_a_command_that_fails_or_does_not_end_says_so(words: list[str], deadline: float, said: str) -> None:
    with pytest.raises(OSError, match=said):
        run_alert_command(words, ALERT, deadline)


def test_alerts_that_a_dead_channel_leaves_waiting_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    released, begun = threading.Event(), threading.Event()

    def stuck(alert: Alert) -> None:
        begun.set()
        released.wait()

    sender = AlertSender({"webhook": stuck}, severity="warning", cooldown=AlertCooldown(0.0), deadline=0.01)
    sender.send(ALERT)
    begun.wait()
    for _ in range(200):
        sender.send(ALERT)
    assert sender._waiting.qsize() == alert_sender.WAITING < 200
    assert f"{alert_sender.WAITING} alerts wait to be sent" in caplog.text
    sender.close()
    released.set()


def test_an_address_of_a_webhook_is_a_secret_and_the_name_of_a_variable_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = {"webhook": "https://x.org/abc", "named": {"webhook": "MY_WEBHOOK"}}
    assert redaction.redacted(tree) == {"webhook": "***", "named": {"webhook": "MY_WEBHOOK"}}
    words = ["logger.alerts.webhook=https://x.org/abc", "logger.alerts.webhook=MY_WEBHOOK"]
    assert redaction.redacted_arguments(words) == ["logger.alerts.webhook=***", "logger.alerts.webhook=MY_WEBHOOK"]
    nested = "logger.alerts={webhook: https://x.org/abc, cooldown: 5}"
    assert redaction.redacted_arguments([nested]) == ["logger.alerts={webhook: ***, cooldown: 5}"]
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://x.org/abcdef")
    assert redaction.without_secrets("posted to https://x.org/abcdef") == "posted to ***"
