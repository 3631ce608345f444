"""A source of a mixture that an override states badly is refused by its key, with the word that adds it."""

from __future__ import annotations

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError

slow = pytest.mark.slow
ADD_ANY = r"Write '\+dataset@dataset\.sources\.one=jsonl'; then dataset\.sources\.one\.KEY=… sets what differs"
ADD = r"Write '\+dataset@dataset\.sources\.one=arithmetic' \("
EASY = "+dataset@dataset.sources.easy=arithmetic"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["+dataset.sources.one={path: x}"], rf'^dataset\.sources\.one=\{{"path": "x"\}}: is no data set.*{ADD_ANY}'),
        (["+dataset.sources.one.path=x"], rf'^dataset\.sources\.one=\{{"path": "x"\}}: is no data set.*{ADD_ANY}'),
        (["+dataset.sources.one=arithmetic"], rf"^dataset\.sources\.one=arithmetic: is no data set.*{ADD}"),
        (["dataset.sources.one=arithmetic"], rf"^dataset\.sources\.one=arithmetic: is no data set.*{ADD}"),
        (["+dataset@sources.one=arithmetic"], r"are looked for in dataset\.sources\. Write '\+dataset@dataset\.sou"),
        (
            ["dataset@dataset.sources.one=arithmetic"],
            r"^dataset@dataset\.sources\.one=arithmetic: has no choice yet.*Add it: '\+dataset@dataset\.sources\.one",
        ),
        pytest.param([EASY, "dataset.sources.easy=jsonl"], r"^dataset\.sources\.easy=jsonl: is no data", marks=slow),
    ],
)
def test_a_source_that_is_no_data_set_is_refused_with_the_word_that_adds_one(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        config.compose(["output_dir=x", "dataset=mixture", *words])


@slow
def test_sources_of_another_data_set_are_refused() -> None:
    with pytest.raises(UserError, match=r"^dataset\.sources=easy: are of dataset=mixture alone"):
        config.compose(["output_dir=x", EASY])


@slow
def test_whole_data_sets_are_taken() -> None:
    words = ["output_dir=x", "dataset=mixture", EASY, "dataset.sources.easy.operations=2"]
    assert config.compose(words).dataset.sources.easy.operations == 2
