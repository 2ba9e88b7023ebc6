"""From the parameters of a command to its report and exit code."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from cr_audit.cli.config import Config, read_config
from cr_audit.cli.outputs import Outputs, outputs_of, refuse_cache, refuse_inputs
from cr_audit.cli.progress import progress_bar
from cr_audit.commands import Command
from cr_audit.errors import InputError
from cr_audit.files import write_stderr, write_stdout
from cr_audit.run import Judging, Run
from cr_audit.settings import SETTINGS, Given, parse_count, parse_map, parse_penalty, resolve
from cr_audit.wording import plural


def execute(command: Command, **given: Any) -> None:
    """Resolve the settings, run the command, write its reports, exit."""
    given = {
        name: value.value if isinstance(value, Enum) else value for name, value in given.items()
    }
    if command.instead is not None:
        said = command.instead({o.name: given[o.name] for o in command.options}, given["output"])
        if said is not None:
            write_stdout(said + "\n", people=True)
            raise typer.Exit
    output = given.pop("output")
    outputs = outputs_of(
        given.pop("format_"),
        None if command.makes else output,
        given.pop("report") or [],
        given.pop("plot", None) or [],
        full_text=given.pop("full_text"),
        details=given.pop("details"),
    )
    given.pop("debug")  # read by cr_audit.cli.app before anything runs
    config, judging = _settings(given.pop("config"), given)
    run = _start(command, config, given)
    run.judging = judging
    if command.files == "batch":
        _trust_nothing_of_the_branch(run)
    if command.makes:
        run.options = {**run.options, "output": output}
    _check_outputs(run, config, outputs)
    with progress_bar(enabled=not given["quiet"]) as progress:
        run.progress = progress
        try:
            outputs.check()
            report = command.make(run)
        except BaseException:
            outputs.remove()
            raise
    try:
        outputs.write(report)
    except BaseException:  # a signal, a full disk: none of an earlier run, and none beside an error
        outputs.remove()
        raise
    if report.said:
        run.say(report.said)
    raise typer.Exit(report.exit_code)


def _settings(named: Path | None, given: dict[str, Any]) -> tuple[Config, Judging | None]:
    """The settings that count, and what is said of them where --policy-from names a branch."""
    reference = given.get("policy_from")
    if not reference:
        return read_config(named), None
    from cr_audit.cli.protected import read_protected

    protected = read_protected(reference, named, given.get("known"), given.get("ledger"))
    config, own, unreadable = protected.config, Config(), ""
    try:
        if named is None or named.exists():
            own = read_config(named)
    except InputError as error:
        unreadable = error.message
    return config, Judging(
        reference=config.where or reference,
        commit=protected.commit,
        own=own.policy or {},
        own_settings=own.values or {},
        settings=config.values or {},
        unreadable=unreadable,
        known=protected.known,
        ledger=protected.ledger,
    )


def _trust_nothing_of_the_branch(run: Run) -> None:
    """What a batch's branch may have brought along beside its settings: a baseline, and results
    that stand in a cache inside the checkout."""
    from cr_audit.cli.protected import altered_baseline, tracked_cache
    from cr_audit.embed import default_cache_dir

    if run.use_cache and tracked_cache(default_cache_dir()):
        run.use_cache = False
        run.say("the cache is part of the checkout, so it is not used")
    if run.judging is not None and run.judging.commit:
        files = run.options.get("baseline") or ()
        altered = altered_baseline(run.judging.reference, run.judging.commit, files)
        run.judging = replace(run.judging, altered=altered)


def _start(command: Command, config: Config, given: dict[str, Any]) -> Run:
    flags = {name: given[name] for name in SETTINGS if name in given}
    flags["map"] = parse_map(flags.get("map"))
    if "penalty" in flags:
        flags["penalty"] = parse_penalty(flags["penalty"])
    if "kinds" in flags:
        flags["kinds"] = parse_count(flags["kinds"])
    resolved = resolve(flags, config.values, config.name)
    quiet: bool = given["quiet"]
    run = Run(
        command=command.name,
        files=tuple(given["files"] or ()),
        given=resolved,
        options={o.name: given[o.name] for o in command.options},
        config=config.path,
        policy=config.policy or {},
        policy_where=config.where,
        own_models=given["allow_model_folder"],
        embeddings=given["embeddings"],
        use_cache=not given["no_cache"],
        fail_on=given.get("fail_on"),
        exit_zero=given.get("exit_zero", False),
        say=_silent if quiet else _say,
        after_read=_remember,
        stdin=getattr(sys.stdin, "buffer", None),
    )
    if command.files != "batch":
        _find_files(run)
    _expand(run)
    return run


def _expand(run: Run) -> None:
    """Folders, patterns and addresses become the files they stand for; what is left out is said."""
    from cr_audit.readers.places import expand

    def files_of(typed: list[str]) -> tuple[str, ...]:
        found = expand(typed)
        if found.files != typed:
            run.say(f"{plural(len(found.files), 'file')} of {', '.join(typed)}")
        for line in found.said():
            run.say(line)
        return tuple(found.files)

    run.files = files_of(list(run.files))
    if run.options.get("baseline"):
        run.options = {**run.options, "baseline": list(files_of(list(run.options["baseline"])))}


def _say(line: str) -> None:
    """One line on stderr."""
    from cr_audit.write.escape import plain

    write_stderr(plain(line))


def _silent(line: str) -> None:
    pass


def _check_outputs(run: Run, config: Config, outputs: Outputs) -> None:
    inputs: list[str | Path] = [*run.files, *(run.options.get("baseline") or [])]
    inputs += [p for p in (config.path, run.embeddings, run.options.get("known")) if p]
    inputs += [p for p in (run.options.get("output"), run.options.get("dropped")) if p]
    policy = run.options.get("policy_from")
    inputs += [policy] if policy and str(policy).endswith(".toml") else []
    refuse_inputs(outputs.files, inputs)
    ledger = run.options.get("ledger")
    if ledger is not None:
        refuse_inputs([ledger], inputs)
        written = [*outputs.files, run.options.get("write_baseline")]
        refuse_inputs([ledger], [p for p in written if p is not None])
    made = [run.options.get(k) for k in ("output", "dropped", "write_baseline", "ledger")]
    refuse_cache([*outputs.files, *(Path(p) for p in made if p)])
    known = run.options.get("write_baseline")
    if known is not None:
        # What is known now may be replaced by what is known then; nothing else that is read.
        read = [*run.files, *(run.options.get("baseline") or [])]
        refuse_inputs([known], [*read, *(p for p in (config.path, run.embeddings) if p)])
        refuse_inputs([known], outputs.files)


def _find_files(run: Run) -> None:
    """Where none is named: the settings file's, else the last ones read; says which."""
    if run.files:
        return
    configured = run.reading["files"]
    if configured:
        run.files, where = tuple(configured), run.given.sources["files"]
    else:
        from cr_audit.cli.remembered import recall

        last = recall()
        run.files, where = tuple(last.files), last.where
        reading, sources = dict(run.reading), dict(run.given.sources)
        for name, value in last.options.items():
            if sources.get(name) == "default":
                reading[name], sources[name] = value, where
        run.given = Given(run.settings, reading, sources)
    run.say(f"no FILE given; data set of {where}: {', '.join(run.files)}")


def _remember(run: Run) -> None:
    if not run.use_cache:
        return
    from cr_audit.cli.remembered import remember

    changed = {
        name: value
        for name, value in run.reading.items()
        if name != "files" and SETTINGS[name].default != value
    }
    problem = remember(list(run.files), changed)
    if problem:
        run.say(problem)
