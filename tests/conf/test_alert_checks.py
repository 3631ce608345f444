"""An alert that could not be sent is refused before the run."""

from __future__ import annotations

from typing import Any

import pytest

from tvo_cli.config.alert_checks import check_alerts, refuse_alerts
from tvo_cli.errors import UserError


@pytest.mark.parametrize(
    "alerts, told",
    [
        ({"webhook": "https://hooks.slack.com/services/T/B/x"}, "export WEBHOOK_URL"),
        ({"webhook": "NOT_SET_ANYWHERE"}, "there is no such environment variable"),
        ({"webhook": "PATH"}, "holds no address"),
        ({"command": ["there-is-no-such-program"]}, "there is no such program"),
        ({"command": []}, "there is no such program"),
    ],
)
def test_what_could_not_be_sent_is_refused_before_the_run_and_an_address_is_not_repeated(
    alerts: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told) as refused:
        check_alerts({"alerts": alerts})
    assert "hooks.slack.com" not in str(refused.value)


def test_a_logger_of_before_there_were_alerts_is_fine() -> None:
    check_alerts({"name": "none"})
    check_alerts({"name": "none", "alerts": {}})


@pytest.mark.parametrize("key", ["webhook", "command"])
def test_a_command_that_watches_nothing_refuses_them(key: str) -> None:
    refuse_alerts({"alerts": {"webhook": None, "command": None, "cooldown": 5}})
    with pytest.raises(UserError, match=rf"logger\.alerts\.{key}=\*\*\*: tvo eval tells nobody"):
        refuse_alerts({"alerts": {key: ["x"]}})
