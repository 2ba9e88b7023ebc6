"""One run of one command: what was asked for, the data, and every fact computed once.

A run carries the settings and where each came from, how the data is read, the caches, the progress
and the random streams by name. Families ask it for the data set, for the base facts (``analysis``)
and for each other's facts (``facts``); whoever asks second gets what the first was given.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from cr_audit.settings import Given, Settings, bytes_of

if TYPE_CHECKING:
    import numpy as np

    from cr_audit.analysis import Analysis
    from cr_audit.analysis.facts import Stage
    from cr_audit.analysis.kept import Kept
    from cr_audit.analysis.shelf import FolderOfParts
    from cr_audit.data.dataset import PreferenceDataset
    from cr_audit.embed import PrecomputedVectors, VectorCache
    from cr_audit.embed.backends import Backend

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) from time to time; total 0 means unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Judging:
    """Where the policy that judges comes from. reference : a commit or a file, as given; commit :
    its id, "" for a file. own : the checkout's own [gate] table; own_settings : its other settings;
    settings : those of the judging file. unreadable : why the checkout's own file is no policy.
    known, ledger : these files as they stand in the commit; None where they are read as they are.
    altered : files of the baseline that are not as the commit holds them.
    """

    reference: str
    commit: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)
    own_settings: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    unreadable: str = ""
    known: bytes | None = None
    ledger: bytes | None = None
    altered: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Run:
    """See the module. files : as named; replaced where the settings file or the last run name
    them. options : those of the command alone. config, policy : the settings file and its [gate]
    table; policy_where : as messages name it. judging : where --policy-from was given.
    own_models : whether a settings file may name a model inside the checkout.
    left_out : stages of the base facts that the command does without.
    fail_on : None where nobody said. say : one line for people, on stderr. after_read :
    called once the data is read, with the run. dataset_given : the data, where it is not in files.
    """

    command: str
    files: tuple[str, ...]
    given: Given
    options: Mapping[str, Any] = field(default_factory=dict)
    config: Path | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    policy_where: str = ""
    judging: Judging | None = None
    own_models: bool = False
    embeddings: Path | None = None
    use_cache: bool = True
    left_out: Collection[Stage] = ()
    fail_on: str | None = None
    exit_zero: bool = False
    progress: Progress = silent
    say: Callable[[str], None] = lambda line: None
    after_read: Callable[[Run], None] = lambda run: None
    stdin: BinaryIO | None = None
    dataset_given: PreferenceDataset | None = None
    _made: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """What is computed, and how."""
        return self.given.analysis

    @property
    def reading(self) -> Mapping[str, Any]:
        """How the data is read."""
        return self.given.reading

    def is_default(self, name: str) -> bool:
        """Whether nobody chose this setting."""
        return self.given.sources.get(name, "default") == "default"

    def stream(self, name: str) -> np.random.Generator:
        """The random stream of one stage."""
        from cr_audit.streams import stream

        return stream(self.settings.seed, name)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gave the first time that ``name`` was asked for."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    # --- data ---

    @property
    def dataset(self) -> PreferenceDataset:
        """The data, read when it is first asked for."""
        made: PreferenceDataset = self.once("dataset", self._read)
        return made

    def _read(self) -> PreferenceDataset:
        if self.dataset_given is not None:
            return self.dataset_given
        dataset = self.read(self.files)
        self.after_read(self)
        return dataset

    def read(
        self,
        files: tuple[str, ...],
        *,
        max_skipped: float | None = None,
        limit_name: str = "--max-skipped",
        kept: Kept | None = None,
    ) -> PreferenceDataset:
        """Some files, by the settings of the run. kept : where the result is kept between runs, by
        the content of the files; a pipe, which can be read once only, is never kept."""
        from cr_audit.readers import Bounds, read

        most = self.reading["max_skipped"] if max_skipped is None else max_skipped
        asked = (self.reading["schema"], self.reading["map"], self.reading["container"])
        weights = self.reading["row_weights"]
        switches = (self.reading["expand_choices"], self.reading["ratings_to_pairs"])

        limit, sample = self.reading["limit"], self.reading["sample"]
        bounds = Bounds(self.reading["max_bytes"], self.reading["max_text"])
        bounds_given = (bounds.max_bytes, bounds.max_text)

        def fresh() -> PreferenceDataset:
            return read(
                list(files),
                schema=asked[0],
                mapping=asked[1],
                container=asked[2],
                max_skipped=most,
                limit_name=limit_name,
                expand_choices=switches[0],
                ratings_to_pairs=switches[1],
                progress=lambda done, total: self.progress("reading", done, total),
                stdin=self.stdin or io.BytesIO(),
                bounds=bounds,
                row_weights=weights,
                limit=limit,
                sample=sample,
                rng=None if sample is None else self.stream("rows of the sample"),
            )

        if kept is None or not all(Path(name).is_file() for name in files):
            return fresh()
        digests = [_sha256(Path(name)) for name in files]
        return kept.call(
            "read",
            (list(files), digests, *asked, most, *switches, weights, *bounds_given, limit, sample),
            fresh,
            sound=lambda data: [f.sha256 for f in data.report.files] == digests,
        )

    # --- caches and encoder ---

    @property
    def cache(self) -> VectorCache | None:
        """Where vectors are kept; None with --no-cache."""
        if not self.use_cache:
            return None
        from cr_audit.embed import VectorCache, default_cache_dir

        return VectorCache(default_cache_dir(), notice=self.say)

    @property
    def kept(self) -> Kept | None:
        """Where results are kept between runs; None with --no-cache."""
        if not self.use_cache:
            return None
        from cr_audit.analysis.kept import Kept
        from cr_audit.embed import default_cache_dir

        return Kept(default_cache_dir(), notice=self.say)

    @property
    def shelf(self) -> FolderOfParts | None:
        """Where parts of the work stand (``--parts``)."""
        folder = self.options.get("parts")
        if folder is None:
            return None
        from cr_audit.analysis.shelf import FolderOfParts

        return FolderOfParts(Path(folder), say=self.say)

    def backend(self, dataset: PreferenceDataset) -> Backend | PrecomputedVectors | None:
        """The encoder, the user's vectors, or None for ``--model none`` and data without texts."""
        if self.embeddings is not None:
            from cr_audit.embed import open_precomputed

            return open_precomputed(self.embeddings)
        name = self.settings.model
        if name == "none" or not dataset.has_text:
            return None
        from cr_audit.embed import default_cache_dir, open_backend
        from cr_audit.embed.opening import refuse_own_model

        source = self.given.sources.get("model", "default")
        named = source not in ("flag", "default") or (self.judging and source == "flag")
        if named and not self.own_models:
            refuse_own_model(name, Path.cwd(), source)
        self.progress("loading the encoder", 0, 0)
        folder = default_cache_dir() if self.use_cache else None
        return open_backend(
            name,
            cache_dir=folder,
            notice=self.say,
            progress=lambda done, total: self.progress("distilling", done, total),
            device=self.settings.device,
        )

    # --- facts ---

    @property
    def encoder(self) -> Backend | PrecomputedVectors | None:
        """``backend`` of the run's own data."""
        made: Backend | PrecomputedVectors | None = self.once(
            "encoder", lambda: self.backend(self.dataset)
        )
        return made

    @property
    def analysis(self) -> Analysis:
        """The base facts that families stand on: vectors, clones, weights, win rates by unit."""
        made: Analysis = self.once("analysis", self._analyse)
        return made

    def _analyse(self) -> Analysis:
        from cr_audit.analysis import analyse, compose

        dataset, encoder = self.dataset, None if "vectors" in self.left_out else self.encoder
        with self.resources():
            made = analyse(
                dataset,
                self.settings,
                backend=encoder,
                cache=self.cache,
                kept=self.kept if dataset.n_alternatives >= compose.PARTS_KEPT else None,
                left_out=self.left_out,
                shelf=self.shelf,
                progress=self.progress,
            )
        return replace(
            made, graph=self.later(made.graph), prompt_graph=self.later(made.prompt_graph)
        )

    @contextmanager
    def resources(self) -> Iterator[None]:
        """The memory that was asked for, where large arrays stand, and whom stages tell how far
        they are."""
        from cr_audit import engine

        folder = None if self.cache is None else self.cache.path.parent
        memory = bytes_of(self.reading["memory"])
        with engine.telling(self.progress), engine.using(memory=memory, folder=folder):
            yield

    def later(self, work: Callable[[], T]) -> Callable[[], T]:
        """Work that a report may ask for when the command is done, with what the run has."""

        def with_resources() -> T:
            with self.resources():
                return work()

        return with_resources

    def on(self, analysis: Analysis, sources: Mapping[str, str]) -> Run:
        """The same run on other data, whose base facts are known. sources : of its settings."""
        other = replace(
            self,
            given=Given(analysis.settings, self.reading, sources),
            dataset_given=analysis.dataset,
            _made={},
        )
        other.once("analysis", lambda: analysis)
        return other

    def facts(self, family: str) -> Any:
        """The facts of one family, computed once."""
        from cr_audit.families import FAMILIES

        def compute() -> Any:
            with self.resources():
                return FAMILIES[family].compute(self)

        return self.once(f"facts of {family}", compute)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
