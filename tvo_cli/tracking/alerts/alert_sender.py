"""The sender of alerts: a webhook and a command are tried beside the run, which neither waits for them nor fails."""

from __future__ import annotations

import logging
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tvo_cli import redaction
from tvo_cli.config.alert_checks import check_alerts, checked_webhook_address
from tvo_cli.tracking.alerts.alert import SEVERITIES, Alert, AlertCooldown
from tvo_cli.tracking.alerts.webhook import post_alert

log = logging.getLogger("tvo")
WAITING = 100  # alerts at most, behind a channel that does not answer
Channel = Callable[[Alert], None]


class AlertSender:
    """Sends alerts through its channels, in a thread of its own; a channel's first failure is one warning.

    A channel that fails is tried again at the next alert: who was out of reach may be back.
    """

    def __init__(
        self, channels: Mapping[str, Channel], *, severity: str, cooldown: AlertCooldown, deadline: float
    ) -> None:
        """`severity`: the least that is told; `deadline`: seconds that a run's end waits for what is on its way."""
        self._channels, self._least = dict(channels), SEVERITIES.index(severity)
        self._cooldown, self._deadline = cooldown, deadline
        self._waiting: queue.Queue[Alert | None] = queue.Queue(WAITING)
        self._failed: set[str] = set()
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, logger: Mapping[str, Any]) -> AlertSender:
        """From the `logger` node; without `alerts`, as configs had it before there were any, nobody is told."""
        check_alerts(logger)
        node = logger.get("alerts") or {}
        deadline = float(node.get("deadline", 10.0))
        return cls(
            _channels_of_node(node, deadline),
            severity=str(node.get("severity", "warning")),
            cooldown=AlertCooldown(float(node.get("cooldown", 0.0))),
            deadline=deadline,
        )

    def passes(self, rule: str, severity: str) -> bool:
        """Whether people are told of this now; mirrors that reach a person ask too."""
        return SEVERITIES.index(severity) >= self._least and self._cooldown.passes(rule)

    def held_back(self, rule: str) -> int:
        """Alerts of the rule that were held back since the last one."""
        return self._cooldown.held_back(rule)

    def send(self, alert: Alert) -> None:
        """Put an alert on its way; returns at once."""
        if not self._channels:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(alert)
        except queue.Full:
            self._say_once("alerts", f"{WAITING} alerts wait to be sent; further ones are left out")

    def close(self) -> None:
        """Wait for what is on its way, at most the deadline."""
        if self._thread is None:
            return
        end = time.monotonic() + self._deadline
        with suppress(queue.Full):
            self._waiting.put(None, timeout=self._deadline)
        self._thread.join(max(end - time.monotonic(), 0.0))
        if self._thread.is_alive():
            log.warning("alerts: not all were sent within logger.alerts.deadline=%g seconds", self._deadline)
        self._thread = None

    def _work(self) -> None:
        while (alert := self._waiting.get()) is not None:
            for name, channel in self._channels.items():
                self._try(name, channel, alert)

    def _try(self, name: str, channel: Channel, alert: Alert) -> None:
        try:
            channel(alert)
        except Exception as error:  # whatever a service or a program does, training goes on
            self._say_once(name, f"an alert was not sent: {redaction.without_secrets(str(error))}")

    def _say_once(self, name: str, text: str) -> None:
        if name not in self._failed:
            self._failed.add(name)
            log.warning("logger.alerts.%s: %s (said once)", name, text)


def _channels_of_node(node: Mapping[str, Any], deadline: float) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    if node.get("webhook"):
        address, form = checked_webhook_address(str(node["webhook"])), str(node.get("format", "auto"))
        channels["webhook"] = lambda alert: post_alert(address, form, alert, deadline)
    if node.get("command"):
        words = [str(word) for word in node["command"]]
        channels["command"] = lambda alert: run_alert_command(words, alert, deadline)
    return channels


def run_alert_command(words: Sequence[str], alert: Alert, deadline: float) -> None:
    """Send an alert to a command, its message as stdin, no shell; {title}, {run}, {step} in its words are filled.

    Raises:
        OSError: it cannot be started, does not end within the deadline, or ends with another code than 0.
    """
    filled = [_filled(word, alert) for word in words]
    try:
        done = subprocess.run(
            filled, input=alert.message.encode("utf-8"), capture_output=True, timeout=deadline, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"{words[0]} did not end within {deadline:g} seconds") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-200:]
        raise OSError(f"{words[0]} ended with code {done.returncode}" + (f": {said}" if said else ""))


def _filled(word: str, alert: Alert) -> str:
    """A word of the alert command with the alert's title, run and step in place of their names."""
    for name in ("title", "run", "step"):
        word = word.replace("{" + name + "}", str(getattr(alert, name)))
    return word
