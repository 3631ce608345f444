"""Shell completion: what may stand in place of a word, of overrides by Hydra's own completion over conf/."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def complete(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the shell completions of a word of `tvo train`."""
    return _complete_override(ctx, incomplete, "train")


def complete_eval(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the shell completions of a word of `tvo eval`."""
    return _complete_override(ctx, incomplete, "eval")


def complete_sft(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the shell completions of a word of `tvo sft`."""
    return _complete_override(ctx, incomplete, "sft")


def complete_group(incomplete: str) -> list[str]:
    """Return the shell completions of the group of `tvo list`."""
    from tvo_cli import config

    return [group for group in config.config_groups() if group.startswith(incomplete)]


def _complete_override(ctx: typer.Context, incomplete: str, root: str) -> list[str]:
    """Return the completions of an override; none where completion itself fails."""
    before = [str(word) for word in ctx.params.get("overrides") or ()]
    try:
        return override_completions(before, incomplete, root)
    except Exception:  # a completion that fails must not print into the user's prompt
        return []


def override_completions(before: Sequence[str], incomplete: str, root: str) -> list[str]:
    """Return the overrides that may stand in place of `incomplete`, given the words before it.

    bash splits words at `=`: `algorithm=tv` arrives as `algorithm`, `=`, `tv`, and `algorithm=` as `algorithm`
    and nothing; only the last part is replaced. Words are joined again for Hydra, and its answers shortened to
    the part that bash replaces.
    """
    words = join_words_split_at_equals(before)
    head = ""
    if words and words[-1].endswith("="):
        head = words.pop()
    elif not incomplete and _is_override_without_value(words):
        head = words.pop() + "="
    found = query_hydra_completion([word for word in words if "," not in word], head + incomplete, root)
    return [match.removeprefix(head) for match in found]


def _is_override_without_value(words: Sequence[str]) -> bool:
    """Return whether the last word is an override without its value yet; not a flag, nor the value of one."""
    if not words or "=" in words[-1] or words[-1].startswith(("-", "~")):
        return False
    return len(words) < 2 or not words[-2].startswith("--")


def join_words_split_at_equals(words: Sequence[str]) -> list[str]:
    """Join words that bash has split at `=`: `a`, `=`, `b` → `a=b`."""
    joined: list[str] = []
    for word in words:
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def query_hydra_completion(words: Sequence[str], incomplete: str, root: str) -> list[str]:
    """Return Hydra's completions of one word, without parts of choices (a leading underscore)."""
    from hydra import initialize_config_dir
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra.core.global_hydra import GlobalHydra

    from tvo_cli import config

    config.register_resolvers()
    with (
        config.plugins_in_effect(words, root),
        initialize_config_dir(str(config.conf_dir().resolve()), version_base="1.3"),
    ):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        line = " ".join([*words, incomplete])
        found: list[str] = BashCompletion(hydra.config_loader)._query(config_name=root, line=line)
    return sorted(match for match in found if not match.rpartition("=")[2].startswith("_"))
