"""sentence-transformers models: every token is read, and a vector depends on its text alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray
from cr_audit.data.identity import canonical
from cr_audit.embed.backends import Precision, Progress
from cr_audit.embed.sources import (
    ModelFiles,
    dimension_of,
    find_model,
    missing_weights,
    quiet_libraries,
)
from cr_audit.errors import ComputeError

if TYPE_CHECKING:
    from tokenizers import Encoding

    from cr_audit.embed.encoders import Opening

OVERLAP = 32
# One batch holds this many tokens, padding included: on CPUs larger batches are not faster.
_TOKENS_PER_BATCH = 256
# On a GPU: as many as half of its memory holds, by what a layer keeps for each token.
_MOST_TOKENS, _FEWEST_TOKENS = 1 << 18, 256
_NUMBERS_PER_TOKEN = 64  # times the hidden size, of 4 bytes
_CUDA = "cuda"
OLDEST = (6, 2)
"""sentence-transformers; the same bound stands in the requirements, which a slim install skips."""
_LOAD_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError)
_LIBRARIES = ("torch", "transformers", "sentence-transformers", "tokenizers")


class _Window(NamedTuple):
    text: int
    n_new: int
    ids: list[int]
    type_ids: list[int]


class TransformerBackend:
    """A sentence-transformers model on the CPU, or on a GPU.

    A text of more tokens than the encoder's window is read in windows that overlap by 32 tokens.
    Its vector is v/‖v‖ with v = Σ_k n_k u_k, where u_k is the unit vector of window k and n_k the
    number of tokens that window k adds to those before it (its own tokens, less the overlap).
    A text of one window has the vector that sentence-transformers gives.

    Windows are computed in batches of a fixed shape for each length: lengths are rounded up to a
    bucket by padding, and a bucket always has the same number of rows, spare ones being copies.
    Each batch runs on one thread, several batches side by side. So a vector does not depend on the
    other texts, on what was cached, or on the number of threads, bit for bit. It may differ in the
    last bits between processors and between versions of torch; the versions are in the fingerprint.

    device : "cpu", "cuda" or "auto", a GPU where torch sees one. On a GPU batches are as large as
    half of its memory holds, and half as large again where that was too much; they come one after
    the other, and rows are padded to a power of two, so that the last bits of a vector may depend
    on the texts beside it. Its vectors have a fingerprint of their own.

    Lone surrogates are read as U+FFFD. Errors on first use: ComputeError ``model-refused`` (the
    library cannot load the folder, or has no fast tokenizer for it), ``no-gpu`` ("cuda" where torch
    sees none).
    """

    def __init__(
        self,
        name: str,
        files: ModelFiles,
        *,
        precision: Precision = "float32",
        workers: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._name = name
        self._device = device
        self._on_gpu: bool | None = None  # not asked yet
        self._files = files
        self._precision = precision
        self._workers = workers
        self._dimension = dimension_of(files.folder)
        self._loaded: Any = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def files(self) -> ModelFiles:
        return self._files

    @property
    def dimension(self) -> int:
        if self._dimension is None:
            self._dimension = int(self.loaded().get_embedding_dimension())
        return self._dimension

    @property
    def fingerprint(self) -> str:
        self._need_libraries()
        parts = (
            "transformer-1",
            self._files.fingerprint,
            self._precision,
            OVERLAP,
            _TOKENS_PER_BATCH,
            *(version(library) for library in _LIBRARIES),
            *((_CUDA,) if self.on_gpu else ()),
        )
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    @property
    def on_gpu(self) -> bool:
        """Whether texts are encoded on a GPU; ComputeError ``no-gpu`` where one was asked for and
        torch sees none."""
        if self._on_gpu is None:
            self._on_gpu = self._device != "cpu" and sees_gpu()
        if self._device == "cuda" and not self._on_gpu:
            raise ComputeError(
                "no-gpu",
                "a GPU was asked for, and torch sees none",
                found="--device cuda",
                next_step="say --device cpu, or install a torch built for CUDA and see that"
                " torch.cuda.is_available() is true",
            )
        return self._on_gpu

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Float32Array:
        """float32 (len(texts), d), unit rows; the zero vector for an empty or blank text."""
        total: FloatArray = np.zeros((len(texts), self.dimension))
        windows = self._windows(texts)
        left = np.bincount([w.text for w in windows], minlength=len(texts))
        done = int((left == 0).sum())

        def take(batch: list[_Window], vectors: Float32Array) -> None:
            nonlocal done
            for window, vector in zip(batch, vectors.astype(np.float64), strict=True):
                total[window.text] += (
                    window.n_new * vector / np.sqrt(np.add.reduce(vector * vector))
                )
                left[window.text] -= 1
                done += int(left[window.text] == 0)
            if progress is not None:
                progress(done, len(texts))

        self._run(_batches(windows, self._tokens()), take)
        norm = np.sqrt(np.add.reduce(total * total, axis=1))
        unit: FloatArray = total / np.where(norm > 0, norm, 1.0)[:, None]
        return unit.astype(np.float32)

    def _windows(self, texts: Sequence[str]) -> list[_Window]:
        plain = [readable(canonical(text)) for text in texts]
        present = [i for i, text in enumerate(plain) if text]
        if not present:
            return []
        tokenizer, overlap = self._tokenizer()
        out: list[_Window] = []
        for start in range(0, len(present), 64):  # the library's encodings are large
            part = present[start : start + 64]
            encodings = tokenizer.encode_batch([plain[i] for i in part])
            for i, encoding in zip(part, encodings, strict=True):
                for k, piece in enumerate((encoding, *encoding.overflowing)):
                    out.append(_window(i, piece, overlap if k else 0))
        return out

    def _tokenizer(self) -> tuple[Any, int]:
        from tokenizers import Tokenizer

        model = self.loaded()
        fast = getattr(model.tokenizer, "backend_tokenizer", None)
        if not isinstance(fast, Tokenizer):
            raise self._refused("the model has no fast tokenizer")
        tokenizer = Tokenizer.from_str(fast.to_str())
        width = int(model.max_seq_length or 512)
        overlap = min(OVERLAP, width // 4)
        tokenizer.enable_truncation(max_length=width, stride=overlap)
        tokenizer.no_padding()
        return tokenizer, overlap

    def encode_ids(
        self, sequences: Sequence[Sequence[int]], progress: Progress | None = None
    ) -> FloatArray:
        """float64 (len(sequences), d): the model's vectors of token ids, all of one length.

        The batches depend on the order of ``sequences``; for a fixed list (a vocabulary) the
        result does not depend on the number of threads.
        """
        windows = [_Window(i, 1, list(ids), [0] * len(ids)) for i, ids in enumerate(sequences)]
        out: FloatArray = np.zeros((len(sequences), self.dimension))
        width = len(sequences[0])
        batches = [(width, windows[at : at + 256]) for at in range(0, len(windows), 256)]

        def take(batch: list[_Window], vectors: Float32Array) -> None:
            out[[w.text for w in batch]] = vectors
            if progress is not None:
                progress(batch[-1].text + 1, len(windows))

        self._run(batches, take)
        return out

    def _run(
        self,
        batches: list[tuple[int, list[_Window]]],
        take: Callable[[list[_Window], Float32Array], None],
    ) -> None:
        """Hand the vectors of all batches to ``take``, in the order of ``batches``."""
        if not batches:
            return
        if self.on_gpu:
            self._run_on_gpu(batches, take)
            return
        import torch

        model = self.loaded()
        pad = int(model.tokenizer.pad_token_id or 0)
        with_types = "token_type_ids" in model.tokenizer.model_input_names

        def compute(job: tuple[int, list[_Window]]) -> Float32Array:
            width, batch = job
            features = _features(batch, width, pad, with_types)
            torch.set_num_threads(1)  # a state of the thread, and this may be another one
            with torch.inference_mode():
                out = model({k: torch.from_numpy(v) for k, v in features.items()})
                vectors = out["sentence_embedding"][: len(batch)].float().numpy()
            return np.array(vectors, dtype=np.float32)

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            found = engine.map(
                compute, batches, workers=self._workers, most=engine.ALL_CORES, local=True
            )
            for (_, batch), vectors in zip(batches, found, strict=True):
                take(batch, vectors)
        finally:
            torch.set_num_threads(before)

    def _tokens(self) -> int:
        """How many tokens a batch holds."""
        if not self.on_gpu:
            return _TOKENS_PER_BATCH
        import torch

        memory = int(torch.cuda.get_device_properties(0).total_memory)
        most = memory // 2 // (4 * _NUMBERS_PER_TOKEN * self.dimension)
        return max(min(1 << most.bit_length() - 1, _MOST_TOKENS), _FEWEST_TOKENS)

    def _run_on_gpu(
        self,
        batches: list[tuple[int, list[_Window]]],
        take: Callable[[list[_Window], Float32Array], None],
    ) -> None:
        """As ``_run``; a batch that memory does not hold is cut in two."""
        import torch

        model = self.loaded()
        pad = int(model.tokenizer.pad_token_id or 0)
        with_types = "token_type_ids" in model.tokenizer.model_input_names
        todo = batches[::-1]
        while todo:
            width, batch = todo.pop()
            rows = 1 << (len(batch) - 1).bit_length()
            features = _features(batch, width, pad, with_types, rows)
            try:
                with torch.inference_mode():
                    given = {k: torch.from_numpy(v).to(_CUDA) for k, v in features.items()}
                    vectors = model(given)["sentence_embedding"][: len(batch)].float().cpu().numpy()
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                if len(batch) == 1:
                    raise ComputeError(
                        "gpu-memory",
                        f"the memory of the GPU does not hold {width} tokens of {self._name}",
                        next_step="say --device cpu, or end what else runs on the GPU",
                    ) from None
                half = len(batch) // 2
                todo += [(width, batch[half:]), (width, batch[:half])]
                continue
            take(batch, np.array(vectors, dtype=np.float32))

    def loaded(self) -> Any:
        """The SentenceTransformer itself, loaded on first use."""
        if self._loaded is None:
            self._need_libraries()
            self._need_bound()
            device = _CUDA if self.on_gpu else "cpu"
            with quiet_libraries():
                import torch
                from safetensors import SafetensorError
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging

                bars = logging.is_progress_bar_enabled()
                logging.disable_progress_bar()  # type: ignore[no-untyped-call]
                try:
                    # Weights that nothing uses (a pooler) may be missing and are drawn at random.
                    with torch.random.fork_rng(devices=[]):
                        torch.manual_seed(0)
                        model = SentenceTransformer(
                            str(self._files.folder),
                            device=device,
                            trust_remote_code=False,
                            local_files_only=True,
                            model_kwargs={"use_safetensors": True},
                        )
                except (SafetensorError, *_LOAD_ERRORS) as error:
                    raise self._refused((str(error).strip().splitlines() or ["?"])[0]) from error
                finally:
                    if bars:
                        logging.enable_progress_bar()  # type: ignore[no-untyped-call]
                missing = missing_weights(self._files, [n for n, _ in model.named_parameters()])
                if missing:
                    raise self._refused(f"its weights lack {len(missing)}, such as {missing[0]}")
                model.eval()
                model.to(getattr(torch, self._precision))
            self._loaded = model
        return self._loaded

    def _need_libraries(self) -> None:
        """Raise ComputeError ``no-transformer-library`` where cr-audit was installed without."""
        missing = [n for n in ("torch", "transformers", "sentence_transformers") if not _there(n)]
        if missing:
            raise ComputeError(
                "no-transformer-library",
                f"the model {self._name} needs {' and '.join(missing)}, not installed here",
                next_step="pip install torch --index-url https://download.pytorch.org/whl/cpu and"
                " then sentence-transformers, or leave --model out: the default needs neither",
            )

    def _need_bound(self) -> None:
        """Raise ComputeError ``old-transformer-library`` below the version that was tried: others
        import more of what a folder names."""
        found = version("sentence-transformers")
        if _numbers(found) < OLDEST:
            raise ComputeError(
                "old-transformer-library",
                f"the model {self._name} is not loaded by so old a version of"
                " sentence-transformers",
                found=found,
                next_step=f"install {'.'.join(map(str, OLDEST))} or later, or leave --model out:"
                " the default needs no such library",
            )

    def _refused(self, reason: str) -> ComputeError:
        return ComputeError(
            "model-refused",
            f"the model {self._name} cannot be used: {reason}",
            where=str(self._files.folder),
            next_step="name another sentence-transformers model, or use --model lexical",
        )


class Transformer:
    """Any other name: the path of a folder, or a name on the hub."""

    name = "transformer"
    summary = "a sentence-transformers model: a folder, all-MiniLM-L6-v2, or a name on the hub"
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    devices = ("cpu", "cuda")

    def claims(self, model: str) -> bool:
        return True

    def open(self, model: str, how: Opening) -> TransformerBackend:
        files = find_model(model, notice=how.notice)
        return TransformerBackend(
            model, files, precision=how.precision, workers=how.workers, device=how.device
        )


TRANSFORMER = Transformer()


def sees_gpu() -> bool:
    """Whether torch sees a GPU; a torch built for CPUs is not imported for that."""
    if not _there("torch") or version("torch").endswith("+cpu"):
        return False
    import torch

    return bool(torch.cuda.is_available())


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", release)[:2])


def _there(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def readable(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD: tokenizers take UTF-8 only."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _window(text: int, encoding: Encoding, overlap: int) -> _Window:
    own = len(encoding.ids) - sum(encoding.special_tokens_mask)
    # A text of control characters alone has no token of its own; it still has a vector.
    return _Window(text, max(own - overlap, 1), encoding.ids, encoding.type_ids)


def _bucket(length: int) -> int:
    step = 8 if length <= 32 else 16
    return -(-length // step) * step


def _batches(
    windows: list[_Window], tokens: int = _TOKENS_PER_BATCH
) -> list[tuple[int, list[_Window]]]:
    by_width: dict[int, list[_Window]] = {}
    for window in windows:
        by_width.setdefault(_bucket(len(window.ids)), []).append(window)
    out: list[tuple[int, list[_Window]]] = []
    for width in sorted(by_width, reverse=True):
        members, size = by_width[width], max(1, tokens // width)
        out += [(width, members[at : at + size]) for at in range(0, len(members), size)]
    return out


def _features(
    batch: list[_Window], width: int, pad: int, with_types: bool, n_rows: int = 0
) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    n_rows = n_rows or max(len(batch), _TOKENS_PER_BATCH // width, 1)
    ids = np.full((n_rows, width), pad, dtype=np.int64)
    mask = np.zeros((n_rows, width), dtype=np.int64)
    types = np.zeros((n_rows, width), dtype=np.int64)
    for row in range(n_rows):
        window = batch[min(row, len(batch) - 1)]
        n = len(window.ids)
        ids[row, :n], mask[row, :n], types[row, :n] = window.ids, 1, window.type_ids
    out = {"input_ids": ids, "attention_mask": mask}
    return {**out, "token_type_ids": types} if with_types else out
