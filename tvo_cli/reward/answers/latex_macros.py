"""What LaTeX commands mean for an answer: sizes that mean nothing, spaces, fonts, other names of one symbol."""

from __future__ import annotations


def words_of_macro_table(words: str) -> frozenset[str]:
    """The set of words of a text: how the tables of LaTeX commands are written."""
    return frozenset(words.split())


IGNORED = words_of_macro_table(
    """left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle displaystyle textstyle
    scriptstyle limits nolimits rm bf it sf tt cal mathstrut strut noindent boldmath hfill allowbreak nonumber
    centering small large Large normalsize protect relax therefore checkmark blacksquare !"""
)
SPACES = words_of_macro_table(", ; : > quad qquad enspace enskip thinspace medspace thickspace space nobreakspace") | {
    " "
}
SPACED_ARGUMENT = words_of_macro_table("hspace vspace phantom hphantom vphantom label tag kern hskip")
MATH_FONTS = words_of_macro_table(
    "boldsymbol bm pmb mathnormal ensuremath boxed fbox underline mathop mathord mathrel mathbin"
)
COLOURS = words_of_macro_table("textcolor color colorbox")
TEXT_FONTS = words_of_macro_table(
    """text mbox hbox textrm textbf textit textsf texttt textup textmd textnormal emph textsc mathrm mathbf
    mathit mathsf mathtt operatorname mathup"""
)
MATH_LETTERS = words_of_macro_table("mathbf mathit mathsf mathtt boldsymbol")  # a letter in these is a variable
FRACTIONS = {
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac", "flatfrac"), "frac"),
    **dict.fromkeys(("binom", "dbinom", "tbinom"), "binom"),
}
INFIX = {"\\over": "frac", "\\choose": "binom"}
ONE_ARGUMENT = words_of_macro_table(
    "sqrt overline bar dot vec hat tilde widehat overrightarrow mathbb mathcal pmod abs"
)
NAMES = {
    **{"leq": "le", "leqslant": "le", "leqq": "le", "geq": "ge", "geqslant": "ge", "geqq": "ge", "neq": "ne"},
    **{"vee": "lor", "wedge": "land", "varnothing": "emptyset", "empty": "emptyset", "infin": "infty"},
    **{"dots": "ldots", "cdots": "ldots", "dotsc": "ldots", "dotsb": "ldots", "vdots": "ldots"},
    **{"smallsetminus": "setminus", "backslash": "setminus", "simeq": "approx", "longrightarrow": "to"},
    **{"rightarrow": "to", "degree": "deg", "textdegree": "deg", "lang": "langle", "rang": "rangle"},
    **{"implies": "Rightarrow", "bmod": "mod", "colon": ":", "vert": "|", "lvert": "|", "rvert": "|"},
    **{"lbrace": "{", "rbrace": "}", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")"},
    **{
        "imath": "i",
        "jmath": "j",
        "lt": "<",
        "gt": ">",
        "div": "/",
        "prime": "'",
        "textdollar": "$",
        "mathdollar": "$",
        "lg": "log",
        "pounds": "text{gbp}",
        "euro": "text{euros}",
        "R": "mathbb{R}",
        "reals": "mathbb{R}",
    },
    **{"Reals": "mathbb{R}", "Z": "mathbb{Z}", "N": "mathbb{N}", "Q": "mathbb{Q}", "ast": "cdot", "land": "land"},
}
SYMBOLS = frozenset(":|[]()<>/'ij")  # names above that are written without a backslash
FUNCTIONS = words_of_macro_table(
    """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp gcd lcm max min deg det dim
    ker arg sup inf lim mod"""
)
BARE_FUNCTIONS = FUNCTIONS - words_of_macro_table("deg dim inf sup arg mod ker min max det lim")
