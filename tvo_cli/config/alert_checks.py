"""Checks of `logger.alerts`: a webhook is named by an environment variable, a command is a program that is there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from typing import Any

from tvo_cli import redaction
from tvo_cli.errors import UserError

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WEBHOOK, COMMAND = "logger.alerts.webhook", "logger.alerts.command"


def check_alerts(logger: Mapping[str, Any]) -> None:
    """Raise UserError for an alert that could not be sent."""
    alerts = logger.get("alerts") or {}
    if alerts.get("webhook"):
        checked_webhook_address(str(alerts["webhook"]))
    command = alerts.get("command")
    if command is not None and (not command or shutil.which(str(command[0])) is None):
        shown = " ".join(map(str, command))
        raise UserError(COMMAND, f"[{shown}]", "there is no such program.", "A list: [mail,-s,'{title}',me@here.org]")


def refuse_alerts(logger: Mapping[str, Any]) -> None:
    """Raise UserError where somebody is to be told by a command that watches nothing."""
    alerts = logger.get("alerts") or {}
    for key in (name for name in ("webhook", "command") if alerts.get(name)):
        raise UserError(f"logger.alerts.{key}", redaction.MASK, "tvo eval tells nobody.", "Alerts are of tvo train.")


def checked_webhook_address(name: str) -> str:
    """Check logger.alerts.webhook, the name of a variable, and return the address that the variable holds.

    An address in a config would stand in every run folder.
    """
    if not VARIABLE.fullmatch(name):
        problem = "is not the name of an environment variable."
        remedy = "An address is a secret: export WEBHOOK_URL=https://…, then logger.alerts.webhook=WEBHOOK_URL"
        raise UserError(WEBHOOK, redaction.MASK, problem, remedy)
    address = os.environ.get(name, "")
    if not address.startswith(("https://", "http://")):
        problem = (
            "there is no such environment variable." if not address else "holds no address that begins with https://"
        )
        raise UserError(WEBHOOK, name, problem, f"Set it: export {name}=https://…")
    return address
