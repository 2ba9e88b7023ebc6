"""Entry point of ``cr-audit``. Only click is imported before a command runs, so --help is quick."""

from __future__ import annotations

import os
import signal
import sys

import click

from cr_audit import __version__
from cr_audit.cli import embed, scan
from cr_audit.cli.pages import CONTEXT, Entry, Flag, Root, show_completion
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


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"cr-audit {__version__}")
        ctx.exit()


def _of_root() -> list[click.Parameter]:
    return [
        Flag(
            "--version",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Print the version and stop.",
        ),
        Flag(
            "--show-completion",
            type=click.Choice(("bash", "zsh", "fish")),
            is_eager=True,
            expose_value=False,
            callback=show_completion,
            help="Print what makes this shell complete commands and options, and stop.",
        ),
    ]


def commands() -> list[Command]:
    """Every command that makes a report: scan, those of the families, the gate."""
    from cr_audit.export.command import COMMANDS as OF_EXPORT
    from cr_audit.gate.command import COMMANDS as OF_GATE

    of_families = [c for _, part in with_role("command") for c in part.COMMANDS]
    return [scan.COMMAND, embed.COMMAND, *of_families, *OF_GATE, *OF_EXPORT]


def make_app() -> Root:
    """click's application, of all that is registered at this moment."""
    entries = {command.name: _made(command) for command in commands()}
    entries["simulate"] = Entry(
        "Reproduce the papers' examples and figures, or write an invented data set.", _simulate
    )
    entries["explain"] = Entry(
        "What a rule or a word means, how it is computed, and what to do.", _explain
    )
    return Root(
        "cr-audit",
        entries,
        params=_of_root(),
        no_args_is_help=True,
        context_settings=CONTEXT,
        help=HELP,
        epilog="Start with: cr-audit scan prefs.jsonl",
    )


def _made(command: Command) -> Entry:
    """A command that makes a report."""

    def make() -> click.Command:
        from cr_audit.cli.build import as_click
        from cr_audit.cli.running import execute

        return as_click(command, execute)

    return Entry(command.summary, make)


def _simulate() -> click.Command:
    from cr_audit.cli.simulate import command

    return command()


def _explain() -> click.Command:
    from cr_audit.cli.explain import command

    return command()


class Stopped(BaseException):
    """The process was asked to end, by Ctrl-C or by SIGTERM (click would swallow the first)."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def _stop(number: int, frame: object) -> None:
    raise Stopped(number)


def main() -> None:
    """Run the app; an error is one message on stderr and an exit code, never a traceback."""
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
