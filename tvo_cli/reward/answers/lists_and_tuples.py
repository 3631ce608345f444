r"""Values side by side: lists and sets in any order, tuples in theirs, unions, points by name or by coordinates."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tvo_cli.reward.answers import answer_structure, inequalities, sets_of_reals

Same = Callable[[str, str], bool]
PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])\s*")
POINT = re.compile(r"([A-Z])'*=?(\(.+\))")
ROOT = re.compile(r"^[xzt]_\{\d\}$")
MOST_PARTS = 40
EMPTY = "\\emptyset"
DOTS = "\\ldots"


def equal_lists(gold: str, answer: str, same: Same) -> bool | None:
    """Lists and sets: as many values, each with a partner; "and" and "or" where they matter."""
    expected, said = list_members(_name_list_entries(gold, answer)), list_members(_name_list_entries(answer, gold))
    if (expected, said) in (((gold,), (answer,)), ((), (answer,)), ((gold,), ())):
        return None
    joins = answer_structure.split_at_joins(gold).joins, answer_structure.split_at_joins(answer).joins
    if len(expected) == 1 and joins[1] == {"or"}:
        return all(same(gold, part) for part in said)  # one value in two spellings
    if len(said) == 1 and joins[0] == {"or"}:
        return all(same(part, answer) for part in expected)
    if len(expected) != len(said):
        return _equal_coordinates(gold, answer, same)
    if len(said) > MOST_PARTS or _differ_in_and_or(expected, said, *joins):
        return False
    if DOTS in expected or DOTS in said or _is_order_fixed(expected, said):
        return all(same(g, a) for g, a in zip(expected, said, strict=True))
    return _equal_members(expected, said, same)


def _name_list_entries(text: str, other: str) -> str:
    """(a, b) = (3, 5) as a = 3, b = 5, where the other answer names each value."""
    if (
        "=" not in text
        or sum(
            answer_structure.split_name(part)[0] is not None for part in answer_structure.split_at_joins(other).parts
        )
        < 2
    ):
        return text
    left, _, right = text.partition("=")
    names, values = answer_structure.read_brackets(left), answer_structure.read_brackets(right)
    if not names or not values or len(names.parts) < 2 or not re.fullmatch(answer_structure.NAMES, left):
        return text
    pairs = zip(names.parts, values.parts, strict=False)
    return ",".join(f"{name}={value}" for name, value in pairs) if len(names.parts) == len(values.parts) else text


def list_members(text: str) -> tuple[str, ...]:
    """The values side by side: of 1, 2; of {1, 2}; of 3 ± 1; of x = 1, 2; of S = {1, 2}."""
    name, value = answer_structure.split_name(text)
    around = answer_structure.read_brackets(value if name is not None else text)
    if around is not None and around.opening == "\\{" and not sets_of_reals.BUILDER.fullmatch(value):
        return _expand_plus_minus(around.parts) if around.parts != (EMPTY,) else (text,)
    return (
        _expand_plus_minus(answer_structure.split_at_joins(text).parts)
        if answer_structure.read_brackets(text) is None
        else (text,)
    )


def _expand_plus_minus(members: Sequence[str]) -> tuple[str, ...]:
    """Each part with one ± as two; without doubles that this makes."""
    signed: list[str] = []
    for part in members:
        pair = [PLUS_MINUS.sub(sign, part) for sign in "+-"] if len(PLUS_MINUS.findall(part)) == 1 else [part]
        signed += [re.sub(r"(^|=)\+", r"\1", each) for each in pair]
    return tuple(signed)


def _differ_in_and_or(
    expected: Sequence[str], said: Sequence[str], gold_joins: frozenset[str], joins: frozenset[str]
) -> bool:
    """Whether lists differ in "and" and "or" where it matters: of inequalities, and of values of several names."""
    members = [*expected, *said]
    names = {answer_structure.split_name(part)[0] for part in members} - {None}
    limited = any(answer_structure.LIMITED.search(member) for member in members)
    if not limited and len(names) < 2:
        return False
    if limited:
        return gold_joins != joins
    return ("or" in gold_joins) != ("or" in joins)


def _is_order_fixed(expected: Sequence[str], said: Sequence[str]) -> bool:
    """Names on one side only: x = 1, y = 2 is 1, 2 in this order; x_1 and x_2 are roots in any order."""
    names = [
        {ROOT.sub("x", answer_structure.split_name(part)[0] or "") for part in side} - {""} for side in (expected, said)
    ]
    return any(len(own) > 1 and not other for own, other in (names, names[::-1]))


def _equal_coordinates(gold: str, answer: str, same: Same) -> bool:
    """(1, 2) is x = 1, y = 2."""
    for point, named in ((gold, answer), (answer, gold)):
        around = answer_structure.read_brackets(point)
        pairs = [answer_structure.split_name(part) for part in answer_structure.split_at_joins(named).parts]
        if around is None or around.opening != "(" or around.closing != ")" or len(pairs) < 2:
            continue
        names = [name for name, _ in pairs if name is not None]
        if (
            len({*names}) == len(pairs) == len(around.parts)
            and "or" not in answer_structure.split_at_joins(named).joins
        ):
            values = [value for _, value in sorted(pairs, key=lambda pair: pair[0] or "")]
            return all(same(g, a) for g, a in zip(around.parts, values, strict=True))
    return False


def _equal_members(expected: Sequence[str], said: Sequence[str], same: Same) -> bool:
    """Each member finds its own partner."""
    left = list(said)
    for member in expected:
        partner = next((i for i, other in enumerate(left) if other == member), None)
        if partner is None:
            partner = next((i for i, other in enumerate(left) if same(member, other)), None)
        if partner is None:
            return False
        del left[partner]
    return True


def equal_unions(gold: str, answer: str, same: Same) -> bool | None:
    """Unions of what is no set of reals, in any order."""
    expected, said = (
        answer_structure.split_outside_brackets(answer_structure.split_name(text)[1], r"\\cup(?![a-zA-Z])")
        for text in (gold, answer)
    )
    if len(expected) < 2 and len(said) < 2:
        return None
    return len(expected) == len(said) <= MOST_PARTS and _equal_members(expected, said, same)


def equal_points_as_tuples(gold: str, answer: str, same: Same) -> bool | None:
    """P(1, 2) is (1, 2), and not Q(1, 2)."""
    expected, said = POINT.fullmatch(gold), POINT.fullmatch(answer)
    if not (expected or said) or (expected and said and expected[1] != said[1]):
        return None
    values = [found[2] if found else text for found, text in ((expected, gold), (said, answer))]
    around = [answer_structure.read_brackets(value) for value in values]
    if not all(each is not None and len(each.parts) > 1 for each in around):
        return None
    return same(values[0], values[1])


def equal_tuples(gold: str, answer: str, same: Same) -> bool | None:
    """Tuples and intervals part by part, with the same brackets."""
    expected, said = (
        answer_structure.read_brackets(gold),
        answer_structure.read_brackets(answer_structure.split_name(answer)[1]),
    )
    if expected is None and said is None:
        return None
    if expected is None or said is None or len(expected.parts) == 1 or len(said.parts) == 1:
        return _equal_as_tuples_of_one(gold, answer, same)
    if expected[:2] != said[:2] or len(expected.parts) != len(said.parts) or len(said.parts) > MOST_PARTS:
        return False
    return all(same(g, a) for g, a in zip(expected.parts, said.parts, strict=True))


def _equal_as_tuples_of_one(gold: str, answer: str, same: Same) -> bool | None:
    """(5) is 5; a longer tuple is not a value, except that an interval may be written as an inequality."""
    plain_gold, plain_answer = _value_in_tuple_of_one(gold), _value_in_tuple_of_one(answer)
    if (plain_gold, plain_answer) != (gold, answer):
        return same(plain_gold, plain_answer)
    several = [
        around is not None and len(around.parts) > 1 for around in map(answer_structure.read_brackets, (gold, answer))
    ]
    if any(several) and not (inequalities.is_inequality(gold) or inequalities.is_inequality(answer)):
        return False if answer_structure.split_name(gold)[0] is None else None
    return None


def _value_in_tuple_of_one(text: str) -> str:
    around = answer_structure.read_brackets(text)
    return around.parts[0] if around and around[:2] == ("(", ")") and len(around.parts) == 1 else text
