"""`\\n` and `\\t` in the text of a command line, where LaTeX's commands begin with the same letters.

A shell passes `'\\n'` on as a backslash and an n, and Hydra leaves it so. In a text for a model the two mean a line
break, unless they begin a command of LaTeX: `\\nPlease` breaks the line, `\\neq` and `\\theta` stay what they are. A
doubled backslash is one that stays: `\\\\n` is a backslash and an n. A yaml's own quotes say which is meant.
"""

from __future__ import annotations

import re

BROKEN = {"n": "\n", "t": "\t"}
ESCAPE = re.compile(r"(\\+)([nt])([A-Za-z]*)")

# Commands of LaTeX, amsmath, amssymb and what MATH's texts use (nicefrac, cancel), after their first letter.
N = """
abla atural cong e earrow eg eq eqq eqsim ewcommand ewenvironment ewline ewpage exists geq geqq geqslant gtr i icefrac
leftarrow leftrightarrow leq leqq leqslant less mid obreak ocite odd oindent olimits olinebreak onumber opagebreak orm
ormalfont ormalsize ot otag otin parallel prec preceq Rightarrow rightarrow shortmid shortparallel sim subset subseteq
subseteqq succ succeq supset supseteq supseteqq trianglelefteq trianglelefteqslant triangleleft triangleright
trianglerighteq u ull ullfont umber umberline VDash Vdash vDash vdash warrow
"""
T = """
able ableofcontents abular ag an anh au binom ext extbackslash extbf extcolor extgreater extit extless extmd extnormal
extrm extsc extsf extsl extstyle extsubscript extsuperscript exttt extup extwidth frac hanks he herefore heta hickapprox
hicksim hinspace ilde imes iny itle o op oday riangle riangledown riangleleft rianglelefteq riangleq riangleright
rianglerighteq t wocolumn woheadleftarrow woheadrightarrow
"""
LATEX = frozenset([*("n" + rest for rest in N.split()), *("t" + rest for rest in T.split())])


def unescape_newlines(text: str) -> str:
    r"""Return a command-line text with its `\\n` and `\\t` as line breaks and tabs, LaTeX's commands left alone."""
    return ESCAPE.sub(_unescape_match, text)


def _unescape_match(found: re.Match[str]) -> str:
    """Return one escape as a line break or tab, or as it is where it begins a command of LaTeX."""
    backslashes, letter, rest = found.groups()
    if len(backslashes) % 2 == 0:  # the last one is kept by the one before it
        return backslashes[1:] + letter + rest
    if letter + rest in LATEX:
        return found.group()
    return backslashes[1:] + BROKEN[letter] + rest
