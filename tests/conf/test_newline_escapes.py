"""`\\n` and `\\t` of a command line are a line break and a tab in text for a model; LaTeX is left alone."""

from __future__ import annotations

import pytest

from tvo_cli import config
from tvo_cli.config.newline_escapes import unescape_newlines

WORDS = """
nabla ne neq neg nexists ni nleq ngeq nless nmid not notin nparallel nu nearrow newline nonumber tan tanh tau
tbinom text textbf textit texttt tfrac therefore theta times tilde to top triangle triangleleft tiny tag boxed
frac sqrt begin newcommand noindent normalsize nicefrac thinspace
"""
LATEX = [rf"\{name}" for name in WORDS.split()]


@pytest.mark.parametrize("command", LATEX)
@pytest.mark.parametrize("text", ["{}", "{}{{x}}", "a {} b", "${}_i$", "{}1", r"\boxed{{{}}}"])
def test_latex_survives(command: str, text: str) -> None:
    written = text.format(command)
    assert unescape_newlines(written) == written


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\n", "\n"),
        (r"\t", "\t"),
        (r"\n\n", "\n\n"),
        (r"\nPlease put it in \boxed{}.", "\nPlease put it in \\boxed{}."),
        (r"Q: {question}\nA:", "Q: {question}\nA:"),
        (r"\nuser", "\nuser"),
        (r"\n\text{x}", "\n\\text{x}"),
        (r"x\tAnswer\t", "x\tAnswer\t"),
        (r"\nThen \neq\n", "\nThen \\neq\n"),
        (r"\\n", r"\n"),
        (r"\\t", r"\t"),
        (r"\\neq", r"\neq"),
        (r"\\\n", "\\\\\n"),
        (r"1 \\ 2", r"1 \\ 2"),
        (r"\\boxed", r"\\boxed"),
        ("already\nbroken", "already\nbroken"),
        ("", ""),
    ],
)
def test_a_line_break_is_one_and_a_doubled_backslash_is_one(written: str, meant: str) -> None:
    assert unescape_newlines(written) == meant


@pytest.mark.parametrize(
    ("words", "key", "meant"),
    [
        ([r"dataset.suffix='\nPut it in \boxed{}.'"], "dataset.suffix", "\nPut it in \\boxed{}."),
        ([r'dataset.suffix="\nAnswer:"'], "dataset.suffix", "\nAnswer:"),
        ([r"dataset.suffix=\n"], "dataset.suffix", "\n"),
        ([r"dataset.suffix='\\n'"], "dataset.suffix", r"\n"),
        ([r"dataset.suffix=' \nabla \times \theta'"], "dataset.suffix", r" \nabla \times \theta"),
        ([r"rollout.stop='\n\n'"], "rollout.stop", ["\n\n"]),
        ([r"rollout.stop=['\nQ:','\t']"], "rollout.stop", ["\nQ:", "\t"]),
        ([r"model.prompt={system: 'Be brief.\n'}"], "model.prompt.system", "Be brief.\n"),
        ([r"model.prompt.system='a\nb'"], "model.prompt.system", "a\nb"),
        ([r"model.prompt.suffix='${dataset.suffix}\n'"], "model.prompt.suffix", "\n"),
        (["dataset=jsonl", r"dataset.path='C:\new\text.jsonl'"], "dataset.path", r"C:\new\text.jsonl"),
        (["dataset=jsonl", "dataset.path=x", r"dataset.strip=['a\n']"], "dataset.strip", ["a\n"]),
        (["dataset=jsonl", "dataset.path=x", r"dataset.answer_marker='\n#'"], "dataset.answer_marker", "\n#"),
    ],
)
def test_the_command_line_may_write_them(words: list[str], key: str, meant: object) -> None:
    found = config.resolved_tree(config.compose(["output_dir=x", *words]))
    for step in key.split("."):
        found = found[step]
    assert found == meant


def test_evaluation_has_them_too() -> None:
    words = ["path=x", r"protocol.prompt='Q: {question}\nA:'", r"protocol.stop='\n'", "evaluation=[jsonl]"]
    found = config.compose([*words, r"evaluation.suites.jsonl.dataset.suffix='\n\boxed'"], "eval")
    assert found.protocol.prompt == "Q: {question}\nA:" and found.protocol.stop == ["\n"]
    assert found.evaluation.suites.jsonl.dataset.suffix == "\n\\boxed"


def test_a_yaml_is_left_as_it_is() -> None:
    """Its own quotes say which is meant; minerva's form holds \\n as line breaks already and `\\$` as it is."""
    found = config.compose(["path=x", "protocol=minerva", r"protocol.system='x\ny'"], "eval")
    assert found.protocol.shots.form.startswith("Problem:\n{question}") and "${answer}$" in found.protocol.shots.form
    assert found.protocol.system == "x\ny"
