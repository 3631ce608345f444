"""Shell completion of overrides, by Hydra's own completion over our conf/."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def complete(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completions of a word of `tvo train`."""
    return _complete(ctx, incomplete, "train")


def complete_eval(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completions of a word of `tvo eval`."""
    return _complete(ctx, incomplete, "eval")


def complete_sft(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completions of a word of `tvo sft`."""
    return _complete(ctx, incomplete, "sft")


def complete_group(incomplete: str) -> list[str]:
    """Completions of the group of `tvo list`."""
    from tvo_cli import config

    return [group for group in config.groups() if group.startswith(incomplete)]


def _complete(ctx: typer.Context, incomplete: str, root: str) -> list[str]:
    before = [str(word) for word in ctx.params.get("overrides") or ()]
    try:
        return overrides(before, incomplete, root)
    except Exception:  # a completion that fails must not print into the user's prompt
        return []


def overrides(before: Sequence[str], incomplete: str, root: str) -> list[str]:
    """What may stand in place of `incomplete`, given the words before it.

    bash splits words at `=`: `algorithm=tv` arrives as `algorithm`, `=`, `tv`, and `algorithm=` as `algorithm`
    and nothing; only the last part is replaced. Words are joined again for Hydra, and its answers shortened to
    the part that bash replaces.
    """
    words = join(before)
    head = ""
    if words and words[-1].endswith("="):
        head = words.pop()
    elif not incomplete and _is_bare(words):
        head = words.pop() + "="
    found = query([word for word in words if "," not in word], head + incomplete, root)
    return [match.removeprefix(head) for match in found]


def _is_bare(words: Sequence[str]) -> bool:
    """Whether the last word is an override without its value yet; not a flag, nor the value of one."""
    if not words or "=" in words[-1] or words[-1].startswith(("-", "~")):
        return False
    return len(words) < 2 or not words[-2].startswith("--")


def join(words: Sequence[str]) -> list[str]:
    """`a`, `=`, `b` → `a=b`."""
    joined: list[str] = []
    for word in words:
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def query(words: Sequence[str], incomplete: str, root: str) -> list[str]:
    """Hydra's completions of one word; parts of choices (a leading underscore) are left out."""
    from hydra import initialize_config_dir
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra.core.global_hydra import GlobalHydra

    from tvo_cli import config

    config.register_resolvers()
    with initialize_config_dir(str(config.conf_dir().resolve()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        line = " ".join([*words, incomplete])
        found: list[str] = BashCompletion(hydra.config_loader)._query(config_name=root, line=line)
    return sorted(match for match in found if not match.rpartition("=")[2].startswith("_"))
