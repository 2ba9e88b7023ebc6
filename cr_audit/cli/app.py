"""Entry point of ``cr-audit``. Only typer is imported before a command runs, so --help is quick."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from cr_audit import __version__
from cr_audit.cli import embed, part, scan
from cr_audit.cli.pages import CONTEXT, Entry, group_of
from cr_audit.commands import Command
from cr_audit.errors import EXIT_BUG, EXIT_COMPUTE, EXIT_OK, CrAuditError
from cr_audit.families import with_role
from cr_audit.files import discard_stdout, write_stderr

HELP = (
    "Audit preference data for approximate clones: find them, weigh them, and see which"
    " rankings they bend.\n\n"
    "Exit codes: 0 pass, 1 --fail-on met, 2 usage, 3 input unreadable, 4 could not compute,"
    " 70 a bug."
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"cr-audit {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    pass


def commands() -> list[Command]:
    """Every command that makes a report: scan, those of the families, the gate."""
    from cr_audit.export.command import COMMANDS as OF_EXPORT
    from cr_audit.gate.command import COMMANDS as OF_GATE

    of_families = [c for _, role in with_role("command") for c in role.COMMANDS]
    return [scan.COMMAND, embed.COMMAND, part.COMMAND, *of_families, *OF_GATE, *OF_EXPORT]


def make_app() -> typer.Typer:
    """typer's application, of all that is registered at this moment."""
    entries = {command.name: _made(command) for command in commands()}
    entries["simulate"] = Entry(
        "Reproduce the papers' examples and figures, or write an invented data set.", _simulate
    )
    entries["explain"] = Entry(
        "What a rule or a word means, how it is computed, and what to do.", _explain
    )
    app = typer.Typer(
        name="cr-audit",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=CONTEXT,
        help=HELP,
        epilog="Start with: cr-audit scan prefs.jsonl",
        cls=group_of(entries),
    )
    app.callback()(_root)
    return app


def _made(command: Command) -> Entry:
    """A command that makes a report."""

    def make() -> Callable[..., None]:
        from cr_audit.cli.build import as_function
        from cr_audit.cli.running import execute

        return as_function(command, execute)

    return Entry(command.summary, make)


def _simulate() -> Callable[..., None]:
    from cr_audit.cli.simulate import command

    return command()


def _explain() -> Callable[..., None]:
    from cr_audit.cli.explain import explain

    return explain


class Stopped(BaseException):
    """The process was asked to end, by Ctrl-C or by SIGTERM (typer would swallow the first)."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def _stop(number: int, frame: object) -> None:
    raise Stopped(number)


def main() -> None:
    """Run the app; an error is one message on stderr and an exit code, never a traceback."""
    # Some 400,000 objects of modules and records are made and kept, and the collector would go
    # through all of them again and again: a tenth of a scan. It is looked for less often.
    gc.set_threshold(50_000, 20, 100)
    debug = "--debug" in sys.argv or os.environ.get("CR_AUDIT_DEBUG") == "1"
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        make_app()(prog_name="cr-audit")
    except CrAuditError as error:
        if debug:
            raise
        _complain(error.lines())
        sys.exit(error.exit_code)
    except Stopped as stop:
        _complain(["stopped; what was embedded so far is kept in the cache"])
        sys.exit(stop.exit_code)
    except BrokenPipeError:
        # The reader of --help or of a list went away (| head): not an error of ours.
        discard_stdout()
        sys.exit(EXIT_OK)
    except MemoryError:
        if debug:
            raise
        _complain(
            [
                "there is not enough memory for this data set",
                "next: split it, lower --max-bytes or --max-text to find the file that is too"
                " large, or use a machine with more memory",
            ]
        )
        sys.exit(EXIT_COMPUTE)
    except Exception as error:
        if debug:
            raise
        _complain(
            [
                f"a bug: {type(error).__name__}: {str(error)[:300]}",
                "next: run again with --debug and report the traceback",
            ]
        )
        sys.exit(EXIT_BUG)


def _complain(lines: list[str]) -> None:
    """One message on stderr, where there is one."""
    from cr_audit.write.escape import plain

    first, *rest = lines
    write_stderr(f"cr-audit: {plain(first)}")
    for line in rest:
        write_stderr(f"  {plain(line)}")


if __name__ == "__main__":
    main()
