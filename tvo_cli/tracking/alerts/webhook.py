"""Webhooks: an alert as Slack, Discord or a program of one's own takes it, sent within a deadline."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tvo_cli.tracking.alerts.alert import Alert

MOST_CHARACTERS = {"slack": 4_000, "discord": 2_000}  # of a message, as the services say


def post_alert(address: str, form: str, alert: Alert, deadline: float) -> None:
    """Send an alert; raise OSError with a reason that does not hold the address."""
    chosen = form if form != "auto" else format_of_address(address)
    body = json.dumps(PAYLOADS[chosen](alert), ensure_ascii=False).encode("utf-8")
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "tvo"}
    request = urllib.request.Request(address, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=deadline):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"it answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from None
    except ValueError:  # of an address that is none; its text holds it
        raise OSError("its address cannot be read") from None


def format_of_address(address: str) -> str:
    """The service that an address belongs to: slack, discord, or else json."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if host == "hooks.slack.com" or host.endswith(".slack.com"):
        return "slack"
    if host in ("discord.com", "discordapp.com") or host.endswith(".discord.com"):
        return "discord"
    return "json"


def _slack_payload(alert: Alert) -> dict[str, Any]:
    text = alert.message
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # else a text could address a channel
        text = text.replace(mark, entity)
    return {"text": text[: MOST_CHARACTERS["slack"]]}


def _discord_payload(alert: Alert) -> dict[str, Any]:
    return {"content": alert.message[: MOST_CHARACTERS["discord"]], "allowed_mentions": {"parse": []}}


PAYLOADS: dict[str, Callable[[Alert], dict[str, Any]]] = {
    "slack": _slack_payload,
    "discord": _discord_payload,
    "json": Alert.as_record,
}
