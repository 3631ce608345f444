r"""The answer of a response: its last `\boxed{…}`, unless the response hedges. Linear time on any text."""

from __future__ import annotations

import re
from typing import NamedTuple

from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.canonical_text import canonical_text

TOKEN = re.compile(r"\\(?:boxed|fbox)\s{0,8}\{|\\.|[{}]", re.DOTALL)
GAP = 200  # characters: a box further before the last one is an intermediate result
SHORT_GAP = 40  # the same where a blank line lies between
TAIL = 2000  # characters after the last box that are searched for a retraction
MOST_BOXES = 32  # boxes of a final answer, equal ones counted; beyond, each counts as another answer
MOST = 4  # different boxes of a final answer that are still judged together

BETWEEN = r"[\s$.,;:)\]}*!\\-]*(?:\\text\s*\{\s*)?"
VALUE = r"\W{0,6}(?:\d|\\frac|\\sqrt|\\pi|\\text|\\boxed)"
SAME_AGAIN = r"(?!\s+(?:equivalently|approximately|about|simply|roughly))"
NEXT_ANSWER = re.compile(
    rf"^{BETWEEN}(?:(?:either|and/or)\b|or\b{SAME_AGAIN}[^.\n]{{0,80}}[\d\\$]|and\b{VALUE})"
    r"|^[\s$]*[,;/|][\s$]*-?\d[\d.]*[\s$]*[.!]?\s*$",
    re.IGNORECASE,
)
RETRACTION = re.compile(
    r"(?:^|[.!?:;)*\n]|\b(?:but|no|oh|hmm|ah),?)\s*(?:wait|correction)\b|\bwait,|\bon second thought|"
    r"\bi (?:made|was|have made) (?:an? )?(?:mistake|error|wrong|incorrect)|"
    r"\blet me (?:re-?check|re-?consider|re-?think|re-?do|re-?calculate|try again)|"
    r"\bnot (?:quite |entirely |completely )?(?:sure|certain)|\b(?:actually|no),? it (?:is|should be)\b|"
    rf"\b(?:maybe|perhaps|possibly|alternatively|(?:might|may|could) (?:also )?be|instead){VALUE}",
    re.IGNORECASE,
)
FALSE = r"(?:wrong|incorrect|(?:not|n't) (?:quite )?(?:correct|right))"
SAID_FALSE = re.compile(
    rf"(?:\b(?:is|was|are|'s)|isn't|wasn't) (?:also |actually |clearly )?{FALSE}(?! to\b)", re.IGNORECASE
)
SUBJECT_ENDS = re.compile(r"[\s,;:(]")
OTHER_VALUE = re.compile(
    r"(?=.*\d)[\d.,$\\{}a-z-]+|\(?[A-J]\)", re.IGNORECASE
)  # "answering 12 is wrong" takes 12 back, not the box
SUPPOSED = re.compile(r"\b(?:mistakes?|errors?|pitfalls?|if|guess(?:ing|ed)?|would|someone|trap)\b", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")

DERIVED = re.compile(
    r"\b(?:so|thus|therefore|hence|consequently|finally|(?:it|this) follows|which (?:gives|means|implies|yields)|"
    r"we (?:get|obtain|find|conclude))\b",
    re.IGNORECASE,
)
ALTERNATIVE = re.compile(
    r"\b(?:or|either|if|cases?|when|also|but|may|might|could|can|maybe|perhaps|possibly|alternatively|another|other|"
    r"both|respectively|instead|accepted|wait)\b|\\(?:vee|lor)(?![a-zA-Z])",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(r"(?:\\[hv]?phantom\s*\{[^{}]*\}|\\hspace\s*\{[^{}]*\}|\\q?quad|\\(?:[ ,;!]|$)|[\s?_~.…□])*")
STATED = re.compile(
    r"####|<answer>|\b(?:final\s+)?answers?(?:\s+to\s[^.\n:]{0,80}?)?"
    r"(?:\s+(?:is|are|equals|will be)\b\s?:?|\s?=|\s?\**\s?:\**|\**[ \t]*\n)",
    re.IGNORECASE,
)
ADVERB = re.compile(
    r"[\s:]*(?:,\s*)?(?:\b(?:therefore|thus|hence|simply|just|then|indeed|clearly|equal to|given by|again)\b[\s:,]*)?",
    re.I,
)
DISPLAY = re.compile(r"[\s*]*(\\\[.*?\\\]|\$\$.*?\$\$)", re.DOTALL)
CLAUSE = re.compile(r"[\s*]*(.*?)(?:\.(?=\s|\*|$)|</answer>|\n|$)", re.DOTALL)
REMARK = re.compile(
    r"(?<=\S)(?:,?\s+(?:because|since|which|as (?:required|desired|expected|we|the|it)|so that|obtained|after|by)\b.*"
    r"|,?\s+(?:in total|in all|altogether|overall|total|exactly|as well|too|together|combined|respectively)"
    r"|\s*\((?:which is |i\.e\.,? |in words:? )?[a-z][a-z -]*\))$",
    re.IGNORECASE | re.DOTALL,
)
THOUGHT = re.compile(
    r"</think(?:ing)?>|</thought>|</reasoning>|\[/THINK\]|<\|end_of_thought\|>|◁/think▷", re.IGNORECASE
)


class BoxSpan(NamedTuple):
    """A closed box: its content is text[inner:end − 1]."""

    start: int
    inner: int
    end: int


class ExtractedAnswer(NamedTuple):
    """The different boxes of the final answer, in order; `reason` is "" when they may be judged."""

    answers: tuple[str, ...]
    reason: str

    @property
    def last(self) -> str | None:
        """The last box; None when there is none."""
        return self.answers[-1] if self.answers else None


def response_tail_with_answer(text: str, cap_bytes: int) -> str:
    """The part of a response that an answer is looked for in: its last `cap_bytes` bytes in UTF-8."""
    if len(text) * 4 <= cap_bytes:
        return text
    data = text[-cap_bytes:].encode("utf-8", "replace")
    return data[-cap_bytes:].decode("utf-8", "ignore")


def find_boxes(text: str) -> tuple[list[BoxSpan], bool]:
    """The outermost closed boxes in order, and whether a box that never closes follows the last of them."""
    closed: list[BoxSpan] = []
    open_: list[tuple[int, int] | None] = []  # where a box and its content start; None for any other brace
    for token in TOKEN.finditer(text):
        mark = token.group()
        if mark[-1] == "{" and mark != "\\{":
            open_.append(token.span() if len(mark) > 1 else None)
        elif mark == "}" and open_:
            start = open_.pop()
            if start is not None:
                _close_box(closed, BoxSpan(*start, token.end()))
    last = closed[-1].end if closed else 0
    return closed, any(start is not None and start[0] >= last for start in open_)


def has_box(text: str) -> bool:
    """Whether a box is begun: then a missing answer is not for want of a box."""
    return "\\boxed" in text or "\\fbox" in text


def _close_box(closed: list[BoxSpan], box: BoxSpan) -> None:
    """A box that closes takes the place of the boxes inside it."""
    while closed and closed[-1].start > box.start:
        closed.pop()
    closed.append(box)


def extract_boxed_answer(text: str) -> ExtractedAnswer:
    r"""The boxes of the final answer: the last one and different ones close before it.

    "no answer": no closed box, an empty one, or one that was being written when the text ended.
    "several answers": more of them than can be meant, or a hedge or retraction after the last.
    """
    text = _text_after_thinking(text)
    found, unclosed = find_boxes(text)
    if not found or unclosed:
        return ExtractedAnswer((), "no answer")
    answers = tuple(reversed(_distinct_box_contents(text, found)))
    if not answers or PLACEHOLDER.fullmatch(answers[-1]):
        return ExtractedAnswer((), "no answer")
    hedged = len(answers) > MOST or _is_hedged_or_retracted(text[found[-1].end :][:TAIL], answers[-1])
    return ExtractedAnswer(answers, "several answers" if hedged else "")


def _text_after_thinking(text: str) -> str:
    """What follows the thinking, where a box stands in it: a box in the thinking is a step."""
    after = THOUGHT.split(text)[-1] if "</" in text or "THINK" in text or "<|" in text or "◁" in text else text
    return after if has_box(after) else text


def boxed_gold_of_solution(solution: str) -> str:
    """The content of the last box of a worked solution; a gold without a box is itself."""
    if not has_box(solution):
        return solution
    found, _ = find_boxes(solution)
    return box_content(solution, found[-1]) if found else solution


def extract_stated_answer(text: str) -> ExtractedAnswer:
    """For evaluation of models that box nothing: what follows the last "answer is", "answer:", "####", <answer>."""
    last = max(STATED.finditer(text), key=lambda found: found.start(), default=None)
    if last is None:
        return ExtractedAnswer((), "no answer")
    start = _skip_adverb(text, last.end())
    clause = DISPLAY.match(text, start) or CLAUSE.match(text, start)
    content = clause[1].replace("**", "").strip().strip("*").strip() if clause else ""
    if clause is None or not content:
        return ExtractedAnswer((), "no answer")
    answer = _strip_remarks_after_answer(content)
    hedged = _is_hedged_or_retracted((content[len(answer) :] + text[clause.end() :])[:TAIL], answer)
    return ExtractedAnswer((answer,), "several answers" if hedged else "")


def _skip_adverb(text: str, start: int) -> int:
    found = ADVERB.match(text, start)
    return found.end() if found else start


def _strip_remarks_after_answer(content: str) -> str:
    """The answer of a response without the remark behind it: 72 of "72, altogether" and "72 because it fits"."""
    for _ in range(MOST if len(content) <= TAIL else 0):
        content = REMARK.sub("", content).rstrip(",; ") or content
    return content


def take_whole_answer(text: str) -> ExtractedAnswer:
    """The text itself, for rows that hold answers and no solutions."""
    content = text.strip()
    return ExtractedAnswer((content,), "") if content else ExtractedAnswer((), "no answer")


def _distinct_box_contents(text: str, found: list[BoxSpan]) -> list[str]:
    """Different contents from the last box backwards, while the boxes stand together as alternatives.

    A box that the last one follows from ("…, so a+b = \\boxed{5}") is an intermediate result, and one with
    nothing in it a figure of the question. Neither can gain anything: what is judged is still the last box.
    """
    answers: dict[str, str] = {}
    following: BoxSpan | None = None
    for count, box in enumerate(reversed(found)):
        if following is not None and not _are_alternative_boxes(text[box.end : following.start]):
            break
        content = box_content(text, box)
        if following is not None and PLACEHOLDER.fullmatch(content):
            continue
        answers.setdefault(_box_spelling(content) if count < MOST_BOXES else str(count), content)
        if len(answers) > MOST:
            break
        following = box
    return list(answers.values())


def _box_spelling(content: str) -> str:
    return exact_number.normalize_decimal(content) or canonical_text(content)


def box_content(text: str, box: BoxSpan) -> str:
    """What stands in the box; a box that holds nothing but a box is opened too."""
    content = text[box.inner : box.end - 1].strip()
    inner = find_boxes(content)[0] if "\\boxed" in content or "\\fbox" in content else []
    while len(inner) == 1 and inner[0].start == 0 and inner[0].end == len(content):
        content = content[inner[0].inner : -1].strip()
        inner = find_boxes(content)[0] if len(content) < GAP else []
    return content


def _are_alternative_boxes(gap: str) -> bool:
    if len(gap) <= GAP and DERIVED.search(gap) and not ALTERNATIVE.search(gap):
        return False
    blank = re.search(r"\n\s*\n", gap[: GAP + 1]) is not None
    return len(gap.strip()) <= (SHORT_GAP if blank else GAP)


def _is_hedged_or_retracted(after: str, answer: str) -> bool:
    """Whether another answer follows, or this one is taken back; words on a mistake that others make do not count."""
    if NEXT_ANSWER.search(after) or RETRACTION.search(after):
        return True
    return any(_sentence_retracts_extracted_answer(sentence, answer) for sentence in SENTENCE.split(after))


def _sentence_retracts_extracted_answer(sentence: str, answer: str) -> bool:
    """Whether a sentence calls the answer false: "that is wrong", not "answering 12 is wrong"."""
    for found in SAID_FALSE.finditer(sentence):
        before = re.sub(r"(?<=\w),? which$", "", sentence[: found.start()].rstrip())  # "10, which is wrong"
        word = SUBJECT_ENDS.split(before)[-1]
        subject, supposed = word.strip("$*."), SUPPOSED.search(before[: len(before) - len(word)])
        if subject == answer or not (OTHER_VALUE.fullmatch(subject) or supposed):
            return True
    return False
