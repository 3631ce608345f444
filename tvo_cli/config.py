"""Where conf/ is, what it offers, how it is composed and turned into objects.

A config file is code: `_target_` names a callable. `build` therefore reads the whole tree first and refuses
every name outside the allowed rooms before anything is imported or called.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tvo_cli import masking
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

ALLOWED = ("tvo_cli.", "torch.optim.")
CLOSED_ROOMS = ("tvo_cli.cli", "tvo_cli.config", "tvo_cli.experiment", "tvo_cli.report", "tvo_cli.tracking")
NOT_THE_EXPERIMENT = (
    "output_dir",
    "experiment_name",
    "run_name",
    "logger",
    "resume",
    "recorder",
    "sweep_objective",
    "hydra",
)  # left out of fingerprints
ONLY_HOW = ("products", "microbatch_tokens")  # of the trainer, likewise: the same numbers within rounding
PLUGINS = {"hydra/launcher": ("joblib", "submitit", "ray"), "hydra/sweeper": ("optuna",)}  # each an extra of its name


class About(NamedTuple):
    """The first comment line of a yaml, taken apart."""

    what: str
    changes: str
    paper: str


# ---------------------------------------------------------------- where conf/ is and what it offers


def conf_dir() -> Path:
    """The folder of the configs: inside the installed package, else beside it in the checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise UserError("conf", package / "conf", "no configuration was installed with the package.", "Reinstall.")


def groups(folder: Path | None = None) -> list[str]:
    """The names of the config groups: folders of conf/ that hold a yaml."""
    root = folder or conf_dir()
    return sorted(path.name for path in root.iterdir() if path.is_dir() and any(path.glob("*.yaml")))


def group_called(word: str, folder: Path | None = None) -> str:
    """The group a person means by `word`: `algorithm`, `algorithms`, `stabilities` …"""
    known = groups(folder)
    for candidate in (word, word.removesuffix("s"), word.removesuffix("ies") + "y"):
        if candidate in known:
            return candidate
    raise UserError("group", word, "there is no such group.", nearest(word, known))


def names(group: str, folder: Path | None = None) -> list[str]:
    """The choices of a group; files that begin with an underscore are parts of others, not choices."""
    files = ((folder or conf_dir()) / group).glob("*.yaml")
    return sorted(path.stem for path in files if not path.stem.startswith("_"))


def about(group: str, name: str, folder: Path | None = None) -> str:
    """The first comment line of a choice: what it is, with paper and what it changes."""
    text = ((folder or conf_dir()) / group / f"{name}.yaml").read_text(encoding="utf-8")
    comments = (line.lstrip("# ").strip() for line in text.split("\n") if line.startswith("#"))
    return next((line for line in comments if not line.startswith("@")), "")


def take_apart(line: str) -> About:
    """`what. Changes GRPO at: x. arXiv:1` → what, `GRPO at: x`, `arXiv:1`."""
    paper = re.search(r"arXiv:\d{4}\.\d{4,5}(?:v\d+)?|[A-Z][\w-]+(?: et al\.)? (?:19|20)\d\d(?=\.?$)", line)
    rest = re.sub(rf"[,;]?\s*{re.escape(paper.group())}", "", line, count=1) if paper else line
    changes = re.search(r"Changes (.+?)\.?\s*$", rest)
    what = rest[: changes.start()] if changes else rest
    return About(
        what.strip().rstrip(".").strip(),
        changes.group(1).strip().rstrip(".") if changes else "",
        paper.group() if paper else "",
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """`Nearest: a, b.`, or all of a short list when nothing is near. A key's last part alone is near."""
    choices = sorted(set(known))
    ends = [one for one in choices if one.endswith(f".{word}")]
    close = [*ends, *(one for one in difflib.get_close_matches(word, choices, n=3, cutoff=0.55) if one not in ends)][:3]
    if close:
        return f"Nearest: {', '.join(close)}."
    return f"There are: {', '.join(choices)}." if 0 < len(choices) <= 24 else ""


# ---------------------------------------------------------------- composing


def register_resolvers() -> None:
    """`times` for learning rates; `eval_name` for folders."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("times", times, replace=True)
    OmegaConf.register_new_resolver("eval_name", eval_name, replace=True)


def times(left: float, right: float) -> float:
    """The product of two numbers: `${times:5.0e-5,${model.lr_scale}}`."""
    for value in (left, right):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"times needs two numbers, not {value!r}")
    return float(left) * float(right)


def eval_name(*, _root_: DictConfig) -> str:
    """An evaluation's folder: model, suites and six letters that change with whatever changes a completion.

    The same command finds its folder again, also with another limit, other ids, or a base to compare with.
    """
    asked = {key: plain(_root_.evaluation.get(key)) for key in ("suites", "seed")}
    decides = [plain(_root_[key]) for key in ("model", "protocol", "decoding", "path", "data_dir")]
    text = json.dumps([asked, decides], sort_keys=True, default=str)
    label = str(_root_.model.name) if ":" in str(_root_.model.path) else _place_name(Path(str(_root_.model.path)))
    suites = "+".join(asked["suites"] or {})
    name = re.sub(r"[^\w.+-]+", "_", f"{label}-{suites}")[:80]
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _place_name(path: Path) -> str:
    """`outputs/train/a/checkpoints/step-000030/policy` → `train-a-step-000030`: a step is one of its run."""
    parts = path.parts or path.absolute().parts
    kept = [part for part in parts if part not in ("/", "..", "outputs", "checkpoints", "policy")]
    return "-".join(kept[-3 if "checkpoints" in parts else -2 :])


def split_override(word: str) -> tuple[str, str]:
    """`+a.b='x y'` → (`a.b`, `x y`)."""
    key, _, value = word.partition("=")
    return key.lstrip("+~").partition("@")[0], value.strip().strip("'\"")


@contextmanager
def _initialised(folder: Path) -> Iterator[None]:
    """Hydra's compose API over a folder; the Hydra of a running job, if there is one, comes back afterwards."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_resolvers()
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folder.resolve()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running


def compose(overrides: Sequence[str] = (), root: str = "train", folder: Path | None = None) -> DictConfig:
    """One config from conf/ROOT.yaml and Hydra overrides, without sweeps and without the hydra node."""
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with _initialised(folder or conf_dir()):
            config: DictConfig = hydra_compose(root, overrides=list(overrides))
            return config
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, overrides, root, folder) from error


def plain(config: Any) -> Any:
    """Dicts, lists and scalars, with every interpolation resolved."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not OmegaConf.is_config(config):
        return config
    try:
        return OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise explain(error) from error


def fingerprint(config: Any) -> str:
    """sha256 of what decides a run's numbers: the resolved config without its name, folder and loggers."""
    tree = {key: value for key, value in plain(config).items() if key not in NOT_THE_EXPERIMENT}
    if "trainer" in tree:
        tree["trainer"] = {key: value for key, value in tree["trainer"].items() if key not in ONLY_HOW}
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()


# ---------------------------------------------------------------- Hydra's errors in one line


def explain(
    error: BaseException, overrides: Sequence[str] = (), root: str = "train", folder: Path | None = None
) -> UserError:
    """A Hydra or OmegaConf error as one line that names the key, the value and the nearest names."""
    from hydra.errors import (
        InstantiationException,
        MissingConfigException,
        OverrideParseException,
        SearchPathException,
    )
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, OverrideParseException):
        if "=" not in str(error.override):
            return UserError("override", error.override, "has no `=`.", _meant(str(error.override), folder))
        remedy = "Put quotes around brackets: 'key=[1,2]'."
        return UserError("override", error.override, f"cannot be read: {_first_line(error)}.", remedy)
    if isinstance(error, SearchPathException):
        place = re.search(r"'([^']+)'", str(error))
        return UserError("--config-dir", place.group(1) if place else "", "there is no such folder.")
    if isinstance(error, MissingConfigException):
        return _missing_choice(error, folder)
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, UserError):
        return error.__cause__
    unknown = re.match(r"Could not override '([^']+)'", str(error))
    if unknown:
        return _unknown_key(unknown.group(1), overrides, root, folder)
    if re.match(r"Ambiguous value for argument|Sweep parameters", str(error)):
        swept = [word for word in overrides if re.search(r"=.*,|=(range|choice|interval|glob)\(", word)]
        return UserError(
            "override", " ".join(swept), "has several values.", f"Add -m for a run of each: tvo {root} -m …"
        )
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    key = getattr(cause, "full_key", None) or "config"
    value = dict(map(split_override, overrides)).get(str(key), "???" if key != "config" else root)
    return UserError(str(key), value, _first_line(error).rstrip(".") + ".")


def _meant(word: str, folder: Path | None) -> str:
    """The override that a lone word may stand for."""
    found = [f"{group}={word}" for group in groups(folder) if word in names(group, folder)]
    return f"Did you mean {' or '.join(found)}?" if found else "Settings are written key=value: optimizer.lr=1e-4."


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]


def _missing_choice(error: Any, folder: Path | None) -> UserError:
    missing = str(error.missing_cfg_file or "")
    group, _, name = missing.rpartition("/")
    if not group:
        known = [path.stem for path in (folder or conf_dir()).glob("*.yaml")]
        return UserError("--config-name", name or missing, "there is no such config.", nearest(name, known))
    if group in PLUGINS and name.split("_")[0] in PLUGINS[group]:
        return UserError(group, name, "is not installed.", f"pip install -e '.[{name.split('_')[0]}]'")
    options = [option for option in error.options or [] if not option.startswith("_")]
    remedy = f"{nearest(name, options)} All of them: tvo list {group}".strip()
    return UserError(group, name, f"there is no such {group}.", remedy)


def _unknown_key(key: str, overrides: Sequence[str], root: str, folder: Path | None) -> UserError:
    value = dict(map(split_override, overrides)).get(key, "")
    near = nearest(key, _known_keys(overrides, root, folder))
    remedy = near if near.startswith("Nearest") else f"{near} A new key is added with +{key}={value}".strip()
    return UserError(key, value, "there is no such key.", remedy)


def _known_keys(overrides: Sequence[str], root: str, folder: Path | None) -> list[str]:
    """The keys that exist once the choices of groups are made, whatever else the overrides say."""
    known = groups(folder)
    choices = [word for word in overrides if split_override(word)[0] in known and "," not in word]
    try:
        return list(key_paths(compose(choices, root, folder)))
    except UserError:
        return known


def key_paths(node: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a config, nodes and leaves, without resolving anything."""
    from omegaconf import OmegaConf

    tree = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
    for name, value in tree.items() if isinstance(tree, dict) else ():
        yield f"{prefix}{name!s}"
        yield from key_paths(value, f"{prefix}{name!s}.")


# ---------------------------------------------------------------- building


def build(node: Any) -> Any:
    """The object a node describes, its children first; `None` for `None`.

    Three passes over the resolved tree: every `_target_` is read, then every one is looked up, then Hydra
    instantiates (`_convert_="all"`: plain dicts and lists). A refusal in the first two leaves nothing built.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    tree = plain(node)
    if tree is None:
        return None
    found = list(targets(tree))
    for key, target in found:
        check_name(key, target)
    for key, target in found:
        check_object(key, target)
    try:
        return instantiate(tree, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        lines = str(error).split("\n")
        raise UserError("_target_", tree.get("_target_", "…"), " ".join(lines[:2]).rstrip(".") + ".") from error


def targets(tree: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Every `_target_` of a tree with its dotted place, inside mappings, lists and `_args_` alike."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if name == "_target_":
                yield f"{path}_target_", value
            yield from targets(value, f"{path}{name}.")
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from targets(value, f"{path}{index}.")


def check_name(key: str, target: object) -> None:
    """Refuse a name outside the allowed rooms; a private or dunder part would reach out of them."""
    allowed = isinstance(target, str) and target.startswith(ALLOWED)
    closed = isinstance(target, str) and any(target == room or target.startswith(room + ".") for room in CLOSED_ROOMS)
    private = isinstance(target, str) and any(part.startswith("_") or not part for part in target.split("."))
    if not allowed or closed or private:
        remedy = "A config may build public things of tvo_cli's own parts and of torch.optim only."
        raise UserError(key, target, "refused before anything was built.", remedy)


def check_object(key: str, target: object) -> None:
    """Refuse a name that leads through an allowed module to something defined elsewhere (`tvo_cli.x.os.system`)."""
    from hydra.utils import get_object

    try:
        found = get_object(str(target))
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(key, target, f"cannot be found: {_first_line(error)}.") from error
    home = f"{getattr(found, '__module__', '')}."
    if inspect.ismodule(found) or not callable(found) or not home.startswith(ALLOWED):
        raise UserError(key, target, f"refused: it is not a callable of {ALLOWED[0]}* or {ALLOWED[1]}*.")


# ---------------------------------------------------------------- the command


def command_line() -> str:
    """The command that makes this very run, ready to copy; a sweep's job has its own. Secrets are masked."""
    import shlex
    import sys

    from hydra.core.hydra_config import HydraConfig

    words = sys.argv[1:]
    if HydraConfig.initialized() and HydraConfig.get().mode is not None and "MULTIRUN" in str(HydraConfig.get().mode):
        kept = [word for word in HydraConfig.get().overrides.task if split_override(word)[0] != "output_dir"]
        words = [*kept, f"output_dir={HydraConfig.get().runtime.output_dir}"]
    program = sys.argv[0] if sys.argv and sys.argv[0].startswith("tvo ") else "tvo train"
    return f"{program} {shlex.join(masking.masked_words(words))}".strip()
