"""A policy of a run as a hub folder, and its upload."""

from __future__ import annotations

import json
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.experiment.run_of_policy import config_of_training_run
from tvo_cli.model.adapters import adapter_folder
from tvo_cli.model.base_model_card import CARD, own_hub_id, read_base_card_head
from tvo_cli.model.loading.merged_policy import save_merged
from tvo_cli.model.model_card import ModelCard
from tvo_cli.model.model_files.model_location import is_adapter
from tvo_cli.model.model_files.policy_checkpoint import STATE, resolve_policy_checkpoint

OFFLINE = ("1", "on", "yes", "true")  # as the hub's library reads HF_HUB_OFFLINE
PUBLIC = "is there already and public: everybody would see the policy."
TIMEOUT = 10.0  # seconds in which the hub says whether a repository is public


def export_policy(run: Path, out: Path, *, checkpoint: str = "last", merge: bool = False) -> list[Path]:
    """Write the policy of a run's checkpoint as a hub folder, whole or not at all; return its files.

    Raises:
        UserError: it is no run, it has no such checkpoint, or there is something at `out` already.
    """
    recorded = config_of_training_run(run)
    if out.exists():
        raise UserError("OUT", out, "is there already.", "Name a folder that is not.")
    policy = Path(resolve_policy_checkpoint(str(run), checkpoint))
    draft = out.with_name(f".{out.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        permissions = stat.S_IMODE(draft.stat().st_mode)
    except OSError as error:
        raise UserError("OUT", out, f"cannot be made: {error.strerror}.", "Name another folder.") from error
    try:
        _write_hub_folder(policy, recorded, draft, merge=merge)
        _set_permissions(draft, permissions)
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return exported_files(out)


def exported_files(folder: Path) -> list[Path]:
    """The files of an exported folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def check_repository_name(repository: str) -> None:
    """Refuse a repository that is no OWNER/NAME, or that the hub would not take."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # not in its list of exports

    owner, slash, name = repository.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise UserError("--push", repository, "is no repository.", "Write OWNER/NAME.")
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        remedy = "Write OWNER/NAME, each of letters, digits, '-', '_' and '.'; none of '--', '..', nor one at an end."
        raise UserError("--push", repository, "is no name of a repository.", remedy) from error


def check_push(repository: str) -> None:
    """Refuse an upload that cannot be.

    Raises:
        UserError: the repository is no OWNER/NAME, or the hub is switched off.
    """
    check_repository_name(repository)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in OFFLINE:
        raise UserError("--push", repository, "HF_HUB_OFFLINE is set.", "Unset it, or leave --push out.")


def check_not_public(repository: str) -> None:
    """Refuse a repository that is there and public; where the hub does not say, `push_folder` asks again."""
    import huggingface_hub

    is_public = False
    with suppress(Exception):  # there is none yet, or no answer, of whichever network library
        is_public = _is_public_repository(huggingface_hub.HfApi(), repository)
    if is_public:
        raise UserError("--push", repository, PUBLIC, "Say --public, or name another repository.")


def push_folder(folder: Path, repository: str, *, public: bool = False) -> None:
    """Upload a folder to a repository of the hub, which is made, private, where there is none.

    `public`: also to one that is public already. The library's own login gives the token.

    Raises:
        UserError: it is public and that is not said, the upload failed, or what `check_push` refuses.
    """
    check_push(repository)
    import huggingface_hub

    hub, later = huggingface_hub.HfApi(), f"hf upload {repository} {folder}"
    try:
        hub.create_repo(repository, repo_type="model", private=True, exist_ok=True)
        if not public and _is_public_repository(hub, repository):
            raise UserError("--push", repository, PUBLIC, f"{folder} is complete. Where that is meant: {later}")
        hub.upload_folder(repo_id=repository, folder_path=str(folder), repo_type="model")
    except UserError:
        raise
    except Exception as error:  # the hub's library hands on what its network libraries raise, each of its own kind
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        remedy = f"{folder} is complete. Mend it (a login: hf auth login), then: {later}"
        raise UserError("--push", repository, f"the upload failed ({first}).", remedy) from error


def _is_public_repository(hub: Any, repository: str) -> bool:
    return not hub.repo_info(repository, repo_type="model", timeout=TIMEOUT).private


def _write_hub_folder(policy: Path, recorded: Any, draft: Path, *, merge: bool) -> None:
    """Write the files of a policy, or of the model that it is with its adapter merged, and the card.

    The card is the one that the run wrote, for the base may be elsewhere by now, and its licence with it.
    """
    if merge and is_adapter(policy):
        save_merged({**recorded["model"], "path": str(policy), "checkpoint": "last"}, draft)
        ModelCard.of(_with_base_of_adapter(recorded, policy), merged=True).write(
            draft, _step_of_exported_policy(policy)
        )
        return
    shutil.copytree(policy, draft, dirs_exist_ok=True)
    if not (draft / CARD).is_file():  # of a run from before there were cards
        ModelCard.of(recorded).write(draft, _step_of_exported_policy(policy))
    if is_adapter(draft):
        _name_base_for_others(draft, str(recorded["model"]["path"]))


def _set_permissions(folder: Path, permissions: int) -> None:
    """Give a folder and its files those of new ones here: safetensors writes its files for their owner alone."""
    folder.chmod(permissions)
    for file in exported_files(folder):
        file.chmod(permissions & 0o666)


def _with_base_of_adapter(recorded: Any, policy: Path) -> dict[str, Any]:
    """For the export, the run's config with its model where the adapter's folder names it: found from anywhere."""
    base = adapter_folder.read_base(policy)
    return {**recorded, "model": {**recorded["model"], "path": base.path, "revision": base.revision}}


def _step_of_exported_policy(policy: Path) -> int:
    if not (policy.parent / STATE).is_file():
        return 0
    return int(checkpoint_folders.read_stored_state(policy.parent)["counters"]["step"])


def _name_base_for_others(folder: Path, path: str) -> None:
    """Name an adapter's base as another machine finds it: by the hub, or by the last part of its path."""
    base = adapter_folder.read_base(folder)
    hub_id = _hub_id_of_base(folder, base.path)
    named = path if path.startswith(("packaged:", "fetched:")) else hub_id or Path(path).name
    (folder / adapter_folder.BASE).write_text(json.dumps(asdict(replace(base, path=named)), indent=2), encoding="utf-8")
    file = folder / adapter_folder.CONFIG
    chosen = json.loads(file.read_text(encoding="utf-8")) | {"base_model_name_or_path": hub_id or named}
    file.write_text(json.dumps(chosen, indent=2, sort_keys=True), encoding="utf-8")


def _hub_id_of_base(folder: Path, base: str) -> str:
    """The hub id of the model beside which an adapter was trained; "" where the hub has only what that was made from.

    What `tvo fetch` brings is named by the original's id; the card says that its weights are rounded.
    """
    if base.startswith("fetched:"):
        return str(read_base_card_head(folder).get("base_model", ""))
    return own_hub_id(base, Path(base))
