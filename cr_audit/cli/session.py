"""What every command that reads data does: resolve settings, read, analyse, write, exit."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cr_audit.cli.settings import READ_DEFAULTS, Resolved, parse_map, parse_penalty, resolve
from cr_audit.errors import EXIT_FAILED, ComputeError, UsageError

if TYPE_CHECKING:
    from cr_audit.analysis import Analysis
    from cr_audit.analysis.kept import Kept
    from cr_audit.data.dataset import PreferenceDataset
    from cr_audit.embed import PrecomputedVectors, VectorCache
    from cr_audit.embed.backends import Backend
    from cr_audit.findings import Finding


@dataclass(slots=True)
class Session:
    """One run of one command."""

    command: str
    files: list[str]
    resolved: Resolved
    embeddings: Path | None = None
    use_cache: bool = True
    quiet: bool = False
    config: Path | None = None

    @classmethod
    def start(
        cls,
        command: str,
        files: list[str],
        *,
        flags: dict[str, Any],
        config: Path | None,
        embeddings: Path | None,
        no_cache: bool,
        quiet: bool,
    ) -> Session:
        flags = {**flags, "map": parse_map(flags.get("map"))}
        if "penalty" in flags:
            flags["penalty"] = parse_penalty(flags["penalty"])
        return cls(
            command=command,
            files=files,
            resolved=resolve(flags, config),
            embeddings=embeddings,
            use_cache=not no_cache,
            quiet=quiet,
            config=config,
        )

    def read(self) -> PreferenceDataset:
        from cr_audit.readers import read

        self._find_files()
        settings = self.resolved.read
        with progress_bar(enabled=not self.quiet) as report:
            dataset = read(
                self.files,
                schema=settings["schema"],
                mapping=settings["map"],
                max_skipped=settings["max_skipped"],
                expand_choices=settings["expand_choices"],
                ratings_to_pairs=settings["ratings_to_pairs"],
                progress=lambda done, total: report("reading", done, total),
                stdin=sys.stdin.buffer,
            )
        if self.use_cache:
            from cr_audit.cli.remembered import remember

            changed = {k: v for k, v in settings.items() if k != "files" and READ_DEFAULTS[k] != v}
            problem = remember(self.files, changed)
            if problem:
                self.say(problem)
        return dataset

    def _find_files(self) -> None:
        """Where none is named: the settings file's, else the last ones read; says which."""
        if self.files:
            return
        configured = self.resolved.read["files"]
        if configured:
            self.files, where = configured, self.resolved.sources["files"]
        else:
            from cr_audit.cli.remembered import recall

            last = recall()
            self.files, where = last.files, last.where
            for name, value in last.options.items():
                if self.resolved.sources.get(name) == "default":
                    self.resolved.read[name] = value
                    self.resolved.sources[name] = where
        self.say(f"no FILE given; data set of {where}: {', '.join(self.files)}")

    def cache(self) -> VectorCache | None:
        if not self.use_cache:
            return None
        from cr_audit.embed import VectorCache, default_cache_dir

        return VectorCache(default_cache_dir(), notice=self.say)

    def kept(self) -> Kept | None:
        """Where results are kept between runs; None with --no-cache."""
        if not self.use_cache:
            return None
        from cr_audit.analysis.kept import Kept
        from cr_audit.embed import default_cache_dir

        return Kept(default_cache_dir(), notice=self.say)

    def backend(self, dataset: PreferenceDataset) -> Backend | PrecomputedVectors | None:
        """The encoder, the user's vectors, or None for ``--model none`` and data without texts."""
        name = self.resolved.analysis.model
        if self.embeddings is not None:
            from cr_audit.embed import open_precomputed

            return open_precomputed(self.embeddings)
        if name == "none" or not dataset.has_text:
            return None
        from cr_audit.embed import default_cache_dir, open_backend

        return open_backend(
            name, cache_dir=default_cache_dir() if self.use_cache else None, notice=self.say
        )

    def say(self, line: str) -> None:
        """One line on stderr, unless --quiet."""
        if not self.quiet:
            from cr_audit.report.escape import plain

            print(plain(line), file=sys.stderr)

    def embed_only(self) -> str:
        """Put the vectors of all texts into the cache; one sentence about what is there now."""
        from cr_audit.embed import PrecomputedVectors, embed_texts
        from cr_audit.wording import plural

        dataset = self.read()
        cache = self.cache()
        with progress_bar(enabled=not self.quiet) as report:
            report("loading the encoder", 0, 0)
            backend = self.backend(dataset)
        if cache is None or backend is None or isinstance(backend, PrecomputedVectors):
            raise UsageError(
                "nothing-to-embed",
                "embed fills the cache with vectors of texts",
                next_step="leave out --no-cache, --embeddings and --model none, and give texts",
            )
        texts = [t or "" for t in dataset.alternatives["text"]]
        texts += [t or "" for t in dataset.prompts["text"]]
        with progress_bar(enabled=not self.quiet) as report:
            embed_texts(
                backend, texts, cache=cache, progress=lambda d, n: report("embedding", d, n)
            )
        size = cache.size()
        return (
            f"{plural(len(set(texts)), 'text')} of {backend.name} are in the cache, which holds"
            f" {plural(size.n_vectors, 'vector')} in {size.n_bytes / 1e6:,.1f} MB at"
            f" {size.path}\n"
        )

    def analyse(self) -> Analysis:
        from cr_audit.analysis import analyse

        dataset = self.read()
        cache = self.cache()
        with progress_bar(enabled=not self.quiet) as report:
            report("loading the encoder", 0, 0)
            return analyse(
                dataset,
                self.resolved.analysis,
                backend=self.backend(dataset),
                cache=cache,
                progress=report,
            )


def write(text: str, output: Path | None) -> None:
    """To a file, whole or not at all, or to stdout."""
    if output is None:
        sys.stdout.write(text)
    else:
        write_file(text.encode(), output, option="-o")


def write_file(content: bytes, path: Path, *, option: str) -> None:
    """Whole or not at all; ``option`` is the one that named the file."""
    try:
        temporary = path.with_name(path.name + ".part")
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise ComputeError(
            "cannot-write",
            f"the file cannot be written: {error.strerror}",
            where=str(path),
            next_step=f"choose another {option} FILE",
        ) from error


def exit_code(findings: tuple[Finding, ...], fail_on: str, exit_zero: bool) -> int:
    """1 if a finding is at least as severe as ``fail_on``; the boundary itself fails."""
    order = ["note", "warning", "error"]
    if exit_zero or fail_on == "never":
        return 0
    threshold = order.index(fail_on)
    return EXIT_FAILED if any(order.index(f.severity) >= threshold for f in findings) else 0


@contextmanager
def progress_bar(*, enabled: bool) -> Iterator[Any]:
    """A callback (stage, done, total) that draws rate and time left on a terminal's stderr.

    Nothing is drawn where stderr is not a terminal, and nothing in the first half second.
    """
    if not enabled or not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}
    began: dict[str, float] = {}
    # A quick run shows nothing; a stage that says nothing for long (a model loads) still spins.
    timer = threading.Timer(0.5, bar.start)
    timer.daemon = True
    timer.start()

    def report(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        began.setdefault(stage, now)
        if stage not in tasks:
            for other in tasks.values():
                bar.update(other, visible=False)
            tasks[stage] = bar.add_task(stage, total=total or None, rate="")
        elapsed = max(now - began[stage], 1e-9)
        rate = f"{done / elapsed:,.0f}/s" if done else ""
        bar.update(tasks[stage], completed=done, total=total or None, rate=rate)

    try:
        yield report
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
