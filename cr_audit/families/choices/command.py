"""``cr-audit choices``: the court for lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.blocks import Block
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run


FILE = "remedy.jsonl"


def report(run: Run) -> Report:
    """Lists, places, kinds and their tests, prediction, ranking, remedies, findings."""
    from cr_audit.analysis.facts import Stage
    from cr_audit.arrays import NotApplicable
    from cr_audit.families.choices.compute import needs_clones
    from cr_audit.families.choices.facts import Method
    from cr_audit.families.choices.show import METHODS, answer, answer_block, brief, pictures
    from cr_audit.families.reporting import command_on, finding_section, next_steps, verdict
    from cr_audit.families.reporting import report as made
    from cr_audit.heads import header

    # Lists are judged by themselves; of the base facts they need clones at most, and vectors for
    # those in meaning and for directions.
    run.left_out = [Stage.VOTES, Stage.WEIGHTS, Stage.RESAMPLING]
    if not needs_clones(run):
        run.left_out.append(Stage.CLONES)
        if not run.options.get("directions"):
            run.left_out.append(Stage.VECTORS)
    if run.options.get("remedy"):
        _write_remedy(run)

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        facts = run.facts("choices")
        own = tuple(f for f in findings if f.rule.startswith("CR7"))
        steps, why = [], "train on what the lists allow"
        remedies = facts.remedies
        if not run.options.get("remedy") and not isinstance(remedies, NotApplicable):
            if remedies.recommended not in (Method.LISTS, Method.NESTED):
                command = command_on(run, "choices", "--remedy recommended")
                steps.append((command, f"writes {FILE}"))
            elif own or findings:
                why = (
                    f"train with the {METHODS[remedies.recommended][0]}: no file is needed for that"
                )
                worst = (own or findings)[0].rule
                steps.append((f"cr-audit explain {worst}", "what that means for training"))
        return [
            header(run.dataset, run.command),
            answer_block(facts, own),
            *brief(facts),
            finding_section(findings),
            *next_steps(why, steps),
            verdict(findings, answer(facts)[0]),
        ]

    return made(run, blocks, also=("choices",), pictures=lambda: pictures(run.facts("choices")))


def _write_remedy(run: Run) -> None:
    """One JSON object a line."""
    from pathlib import Path

    import orjson

    from cr_audit.arrays import NotApplicable
    from cr_audit.families.choices.compute import remedy
    from cr_audit.files import write_whole
    from cr_audit.wording import plural

    method, rows = remedy(run, run.facts("choices"), run.options["remedy"])
    if isinstance(rows, NotApplicable):
        run.say(f"recommended is {method}, so nothing is written: {rows.reason}")
        return
    path = Path(run.options.get("remedy_file") or FILE)
    lines = [orjson.dumps(row) for row in rows]
    write_whole(b"".join(line + b"\n" for line in lines), path, option="--remedy-file")
    run.say(f"{plural(len(lines), 'row')} of {method}: {path}")


COMMANDS = (
    Command(
        "choices",
        "Ask whether lists may be trained on: IIA, places, wrong signs, and what to do instead.",
        report,
        examples=(
            "cr-audit choices lists.jsonl",
            "cr-audit choices pairs.jsonl --plan 4",
            "cr-audit choices lists.jsonl --category style --level 0.05",
            "cr-audit choices lists.jsonl --remedy recommended --remedy-file pairs.jsonl",
        ),
        details=(
            "Lists are taken as they stand: one chosen, several chosen, rankings with ties. Members"
            " are sorted into kinds by model, by clones, by length or by a field; choices among"
            " kinds are tested for independence of irrelevant alternatives, and every way to train"
            " on the lists is measured on choices that it did not see."
        ),
        options=(
            Option(
                "category",
                "text",
                "auto",
                "Kinds of members: auto, models, clones, length, or a field of the members.",
                metavar="KIND",
            ),
            Option(
                "plan",
                "whole",
                None,
                "Predict what lists of this size would teach (from what is there).",
                low=2,
                high=64,
            ),
            Option(
                "level",
                "number",
                0.01,
                "Chance of rejecting IIA where it holds (family-wise, over all tests).",
                low=1e-6,
                high=0.5,
                first=False,
            ),
            Option(
                "aspect",
                "text",
                None,
                "Which aspect of the ratings orders the lists.",
                metavar="NAME",
                first=False,
            ),
            Option(
                "covariates",
                "choice",
                "auto",
                "Hold numeric fields of the members fixed in the tests: auto for named"
                " alternatives with attributes.",
                choices=("auto", "yes", "no"),
            ),
            Option(
                "directions",
                "whole",
                None,
                "Hold the first so many principal directions of the members' vectors fixed too.",
                low=1,
                high=50,
                metavar="N",
                first=False,
            ),
            Option(
                "remedy",
                "choice",
                None,
                "Write the rows of a way to train, as it was measured.",
                choices=(
                    "recommended",
                    "all-pairs",
                    "one-pair-per-list",
                    "weighted-pairs",
                    "balanced-pairs",
                    "clone-weighted-lists",
                ),
            ),
            Option("remedy_file", "path", None, "Where --remedy writes. [default: remedy.jsonl]"),
        ),
        files="last",
        fits=True,
        judged=True,
        plots="the margins of the pairs of kinds",
    ),
)
