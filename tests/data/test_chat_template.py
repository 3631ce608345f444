"""Which names a chat template takes from outside: those that it reads before it sets them."""

from __future__ import annotations

import pytest

from tvo_cli.data.chat_template import names_read_by_template

MESSAGES = "{% for message in messages %}{{ message.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "names"),
    [
        (MESSAGES, {"messages"}),
        ("{% if thinking is defined and not thinking %}x{% endif %}" + MESSAGES, {"messages", "thinking"}),
        # Qwen 3 and Gemma 3: set on both paths, then read
        ("{% if messages %}{% set content = 1 %}{% else %}{% set content = 2 %}{% endif %}{{ content }}", {"messages"}),
        # Llama 3: a default of the template's own
        ("{% if not date is defined %}{% set date = 26 %}{% endif %}{{ date }}", {"date"}),
        ("{% if not date %}{% set date = 26 %}{% endif %}{{ date }}", {"date"}),
        ("{% set date = date | default(26) %}{{ date }}", {"date"}),
        ("{% for turn in turn %}{{ turn }}{% endfor %}", {"turn"}),
        ("{% generation %}{{ reply }}{% endgeneration %}", {"reply"}),
    ],
)
def test_a_name_that_is_set_where_it_is_first_met_is_the_templates_own(template: str, names: set[str]) -> None:
    assert names_read_by_template(template) == names
