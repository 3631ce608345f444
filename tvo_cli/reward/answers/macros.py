"""What LaTeX commands mean for an answer: sizes that mean nothing, spaces, fonts, other names of one symbol."""

from __future__ import annotations

IGNORED = frozenset(
    """left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle displaystyle textstyle
    scriptstyle limits nolimits rm bf it sf tt cal mathstrut strut noindent boldmath hfill allowbreak nonumber
    centering small large Large normalsize protect relax !""".split()
)
SPACES = frozenset(", ; : > quad qquad enspace enskip thinspace medspace thickspace space nobreakspace".split()) | {" "}
SPACED_ARGUMENT = frozenset("hspace vspace phantom hphantom vphantom label tag kern hskip".split())
MATH_FONTS = frozenset("boldsymbol bm pmb mathnormal ensuremath boxed fbox underline mathop mathord mathrel".split())
COLOURS = frozenset("textcolor color colorbox".split())
TEXT_FONTS = frozenset(
    """text mbox hbox textrm textbf textit textsf texttt textup textmd textnormal emph textsc mathrm mathbf
    mathit mathsf mathtt operatorname mathup""".split()
)
MATH_LETTERS = frozenset("mathbf mathit mathsf mathtt boldsymbol".split())  # a letter in these is a variable
FRACTIONS = {
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac", "flatfrac"), "frac"),
    **dict.fromkeys(("binom", "dbinom", "tbinom"), "binom"),
}
ONE_ARGUMENT = frozenset("sqrt overline bar dot vec hat tilde widehat overrightarrow mathbb mathcal pmod abs".split())
NAMES = {
    **{"leq": "le", "leqslant": "le", "leqq": "le", "geq": "ge", "geqslant": "ge", "geqq": "ge", "neq": "ne"},
    **{"vee": "lor", "wedge": "land", "varnothing": "emptyset", "empty": "emptyset", "infin": "infty"},
    **{"dots": "ldots", "cdots": "ldots", "dotsc": "ldots", "dotsb": "ldots", "vdots": "ldots"},
    **{"smallsetminus": "setminus", "backslash": "setminus", "simeq": "approx", "longrightarrow": "to"},
    **{"rightarrow": "to", "degree": "deg", "textdegree": "deg", "lang": "langle", "rang": "rangle"},
    **{"implies": "Rightarrow", "bmod": "mod", "colon": ":", "vert": "|", "lvert": "|", "rvert": "|"},
    **{"lbrace": "{", "rbrace": "}", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")"},
    **{"imath": "i", "jmath": "j", "lt": "<", "gt": ">", "div": "/", "prime": "'", "textdollar": "$", "R": "mathbb{R}", "reals": "mathbb{R}"},
    **{"Reals": "mathbb{R}", "Z": "mathbb{Z}", "N": "mathbb{N}", "Q": "mathbb{Q}", "ast": "cdot", "land": "land"},
}
SYMBOLS = frozenset(":|[]()<>/'ij")  # names above that are written without a backslash
FUNCTIONS = frozenset(
    """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp gcd lcm max min deg det dim
    ker arg sup inf lim mod""".split()
)
BARE_FUNCTIONS = FUNCTIONS - frozenset("deg dim inf sup arg mod ker min max det lim".split())  # words of which letters are no product
