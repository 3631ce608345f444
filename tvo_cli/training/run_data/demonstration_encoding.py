"""Demonstrations as token sequences: which tokens are learned, behind the prompts of reinforcement learning."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvo_cli.data.chat_template import choose_template, render_conversation
from tvo_cli.data.demonstrations import Demonstration, learned_replies, problem_of_reply
from tvo_cli.data.prompts import render_prompt
from tvo_cli.data.special_tokens import Prompt, holds_special_token
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.prompt_encoding import encode_prompts

log = logging.getLogger("tvo")
PROBE = "qzxqz"  # no end token holds it


@dataclass(frozen=True, slots=True)
class EncodedSequence:
    """Token ids and which of them are learned."""

    id: str  # of the demonstration
    ids: tuple[int, ...]
    learned: tuple[bool, ...]

    def with_turn(self, prompt: Sequence[int], reply: Sequence[int]) -> EncodedSequence | None:
        """The sequence with a further turn; None where the further prompt does not go on from it token by token."""
        if tuple(prompt[: len(self.ids)]) != self.ids:
            return None
        asked = len(prompt) - len(self.ids)
        learned = (*self.learned, *[False] * asked, *[True] * len(reply))
        return EncodedSequence(self.id, (*prompt, *reply), learned)


@dataclass(frozen=True, slots=True)
class DemonstrationEncoder:
    """What demonstrations are encoded by."""

    policy: Policy
    prompt: Mapping[str, Any]  # model.prompt, resolved
    end_id: int  # what ends a reply
    path: str = ""  # of the model, as the config names it

    @classmethod
    def of(cls, policy: Policy, prompt: Mapping[str, Any], path: str = "") -> DemonstrationEncoder:
        """Of a policy and its prompt node."""
        return cls(policy, prompt, end_of_reply(policy, prompt), path)

    def __call__(self, demonstration: Demonstration) -> list[EncodedSequence]:
        """The sequences of a demonstration, every reply of the assistant learned, with its end token.

        One sequence holds all replies where each prompt begins with what came before it. A template that rewrites
        earlier turns, or a suffix behind the last question, gives a sequence for each reply: no token is then learned
        behind another prompt than the one that reinforcement learning would show.
        """
        found: list[EncodedSequence] = []
        for turn in learned_replies(demonstration):
            prompt = self._prompt_ids(demonstration, turn)
            reply = [*self._reply_ids(demonstration.conversation[turn][1]), self.end_id]
            longer = found[-1].with_turn(prompt, reply) if found else None
            begun = EncodedSequence(demonstration.id, (), ()).with_turn(prompt, reply)
            found = [*found[:-1], longer] if longer else [*found, *([begun] if begun else [])]
        return found

    def _prompt_ids(self, demonstration: Demonstration, turn: int) -> list[int]:
        prompt = render_prompt(problem_of_reply(demonstration, turn), self.prompt, self.policy.tokenizer)
        (ids,) = encode_prompts(self.policy.tokenizer, [prompt])
        if not ids:
            raise UserError("dataset", demonstration.id, "has a prompt without a token.", "Mend or remove the row.")
        return ids

    def _reply_ids(self, text: str) -> list[int]:
        """The reply's own tokens; the name of a special token in it is plain text, which ends nothing."""
        tokenizer = self.policy.tokenizer
        marked = Prompt(text, () if holds_special_token(text, tokenizer) else None, templated=True)
        return encode_prompts(tokenizer, [marked])[0]


def end_of_reply(policy: Policy, prompt: Mapping[str, Any]) -> int:
    """The token that ends a reply: the chat template's own where sampling stops at it, else the tokenizer's end token.

    Raises:
        UserError: there is no end token to learn.
    """
    tokenizer = policy.tokenizer
    if choose_template(prompt.get("template"), tokenizer) == "chat":
        written = _end_written_by_template(tokenizer, prompt.get("chat_template_kwargs") or {})
        if written in policy.end_ids:
            return int(written or 0)
        if written is not None:
            names = tokenizer.convert_ids_to_tokens([written])[0], tokenizer.eos_token
            log.warning("the chat template ends a turn with %s, at which sampling does not stop: %s is learned", *names)
    if tokenizer.eos_token_id is None:
        raise UserError("model.path", tokenizer.name_or_path, "its tokenizer has no end token to learn.", "Add one.")
    return int(tokenizer.eos_token_id)


def _end_written_by_template(tokenizer: Any, keywords: Mapping[str, Any]) -> int | None:
    """The first token that the template writes behind a reply; None where it writes none."""
    text = render_conversation([("user", PROBE), ("assistant", PROBE)], tokenizer, keywords, reply=False)
    behind = text[text.rindex(PROBE) + len(PROBE) :] if PROBE in text else ""
    ids = tokenizer(behind.lstrip(), add_special_tokens=False)["input_ids"] if behind.strip() else []
    return int(ids[0]) if ids else None
