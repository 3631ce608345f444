"""Redaction of secrets: values under secret-looking names are replaced before anything is written or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

SECRET = re.compile(r"token(?!s)|key|password|secret", re.IGNORECASE)  # of a variable; WANDB_MICROBATCH_TOKENS is none
ALWAYS = re.compile(r"passw|secret|credential|apikey|accesskey|authtoken", re.IGNORECASE)  # of a setting
ENDING = ("key", "keys", "token")  # of a word of a setting's name; numbers behind it aside
BEFORE = {"stop", "next", "answer", "eos", "bos", "pad", "end", "start", "unk", "sep", "mask", "per", "first", "last"}
BEHIND = {"temperature", "weight", "loss", "level", "entropy", "reward", "count", "mean", "share", "limit", "window"}
WEBHOOK = re.compile(r"webhook", re.IGNORECASE)  # who knows its address may write there; a variable's name is no secret
ENTRY = re.compile(
    r"""([{,]\s*["']?[\w.-]+["']?\s*:\s*)(\[[^\]]*\]|"[^"]*"|'[^']*'|[^,{}\[\]]+)"""
)  # of a mapping in a word
NUMBERS = re.compile(r"[\d.eE+,-]+")
NO_TEXT = ("null", "none", "true", "false", "")
MASK = "***"
NO_SECRETS = "own_code"  # fingerprints by names of files, whatever word is in a name


def redacted(tree: Any, key: str = "") -> Any:
    """Return a tree whose texts under secret-looking keys are replaced."""
    if isinstance(tree, Mapping):
        return {name: value if name == NO_SECRETS else redacted(value, str(name)) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [redacted(value, key) for value in tree]
    return MASK if isinstance(tree, str) and tree and (is_secret(key) or _is_webhook(key, tree)) else tree


def is_secret(key: str) -> bool:
    """Return whether a setting's key names a secret: api_key, hf_token; keyword, next_token and tokenizer do not."""
    words = re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower().strip())
    named = (
        word.rstrip("0123456789").endswith(ENDING) and before not in BEFORE and behind not in BEHIND
        for before, word, behind in zip(["", *words], words, [*words[1:], ""])
    )
    return any(named) or bool(ALWAYS.search(key))


def _is_secret_variable(name: str) -> bool:
    """Return whether an environment variable may hold a secret: what is hidden of a text is hidden once too often."""
    return bool(SECRET.search(name.lower().replace("tokenizer", "")))


def _is_webhook(key: str, value: str) -> bool:
    """Return whether a value is the address of a webhook."""
    return bool(WEBHOOK.search(key)) and "://" in value


def redacted_arguments(words: Iterable[str]) -> list[str]:
    """Return command-line arguments with the values of secret-looking keys replaced."""
    out = []
    for word in words:
        key, equals, value = word.partition("=")
        whole = equals and _is_secret_value(key.rsplit(".", 1)[-1], value)
        out.append(f"{key}={MASK}" if whole else ENTRY.sub(_redacted_entry, word))
    return out


def redacted_value(key: str, value: str) -> str:
    """Return the value of an override `key=value` as it may be shown."""
    return redacted_arguments([f"{key}={value}"])[0].partition("=")[2]


def _redacted_entry(entry: re.Match[str]) -> str:
    """Return an entry of a mapping inside an argument, its value replaced where its key is secret."""
    return f"{entry[1]}{MASK}" if _is_secret_value(entry[1], entry[2]) else entry[0]


def _is_secret_value(key: str, value: str) -> bool:
    """Return whether a value is to be replaced: a secret is a text, max_tokens=64 is none."""
    plain = NUMBERS.fullmatch(value.strip()) or value.strip().lower() in NO_TEXT
    return (is_secret(key) and not plain) or _is_webhook(key, value)


def without_secrets(text: str) -> str:
    """Return a text without the values of secret-looking environment variables, which a library's error may quote."""
    named = ((name, value) for name, value in os.environ.items() if len(value) >= 8)
    found = [value for name, value in named if _is_secret_variable(name) or _is_webhook(name, value)]
    for value in sorted(found, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text
