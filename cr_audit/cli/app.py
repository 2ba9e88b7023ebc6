"""Entry point of ``cr-audit``. Only typer is imported before a command runs, so --help is quick."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cr_audit import __version__
from cr_audit.cli import explain, gate, parts, refit, scan, simulate, stress
from cr_audit.errors import EXIT_BUG, CrAuditError

app = typer.Typer(
    name="cr-audit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Audit preference data for approximate clones: find them, weigh them, and see which"
        " rankings they bend.\n\n"
        "Exit codes: 0 pass, 1 --fail-on met, 2 usage, 3 input unreadable, 4 could not compute,"
        " 70 a bug."
    ),
    epilog="Start with: cr-audit scan prefs.jsonl",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"cr-audit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    pass


app.command("scan")(scan.scan)
app.command("embed")(parts.embed)
app.command("clones")(parts.clones)
app.command("weights")(parts.weights)
app.command("winrates")(parts.winrates)
app.command("gate")(gate.gate)
app.command("refit")(refit.refit)
app.command("stress")(stress.stress)
app.command("simulate")(simulate.simulate)
app.command("explain")(explain.explain)


def main() -> None:
    """Run the app; an error is one message on stderr and an exit code, never a traceback."""
    debug = "--debug" in sys.argv or os.environ.get("CR_AUDIT_DEBUG") == "1"
    try:
        app(prog_name="cr-audit")
    except CrAuditError as error:
        if debug:
            raise
        from cr_audit.report.escape import plain

        first, *rest = error.lines()
        print(f"cr-audit: {plain(first)}", file=sys.stderr)
        for line in rest:
            print(f"  {plain(line)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("cr-audit: stopped; what was embedded so far is kept in the cache", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our pipe went away (| head): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        from cr_audit.report.escape import plain

        print(
            f"cr-audit: a bug: {type(error).__name__}: {plain(str(error))[:300]}", file=sys.stderr
        )
        print("  next: run again with --debug and report the traceback", file=sys.stderr)
        sys.exit(EXIT_BUG)


if __name__ == "__main__":
    main()
