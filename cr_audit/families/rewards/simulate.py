"""[CR] Theorems 3.2 and 4.2 and section 5: rewards as clones come nearer, and the case study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cr_audit.blocks import Answer, Block, Cell, Chart, Column, Prose, Section, Series, Table
from cr_audit.commands import Option
from cr_audit.errors import UsageError
from cr_audit.simulate.catalogue import Progress, Simulation
from cr_audit.wording import fixed, percent

if TYPE_CHECKING:
    import numpy as np

    from cr_audit.arrays import FloatArray
    from cr_audit.simulate.case_study import CaseRow, CaseStudy
    from cr_audit.simulate.robustness import ExampleRates, RobustnessRate
    from cr_audit.simulate.table1 import Table1

CASE = "Case study"
PER_TOPIC, WRITTEN = 100, 60
SHOWN = ("standard", "voronoi sphere", "sharing")
"""Schemes whose rewards per topic are shown and drawn."""


# --- robustness-rate ---


def _rates(
    settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress
) -> RobustnessRate:
    from cr_audit.simulate.robustness import robustness_rate

    return robustness_rate()


def _show_rates(facts: RobustnessRate) -> list[Block]:
    """How the shifts settle, then a table per example."""
    worst = max(r.weighted / r.certificate for e in facts.examples for r in e.rows)
    slopes = ", ".join(f"{e.slope_weighted:.3f}" for e in facts.examples)
    sentence = (
        "As a clone comes nearer the weighted rewards settle in proportion to its distance"
        f" (slopes {slopes}); the standard ones keep a shift. The certificate holds"
        f" everywhere; the shift is at most {percent(worst)} of it."
    )
    return [Answer((sentence,), "plain"), *(_rate_table(e) for e in facts.examples)]


def _rate_table(e: ExampleRates) -> Section:
    rows = [
        (
            Cell(f"{r.epsilon:g}", (e.example.name, r.epsilon)),
            *(Cell(f"{x:.3e}", (x,)) for x in (r.standard, r.weighted, r.certificate)),
        )
        for r in e.rows
    ]
    columns = (
        Column("distance ε", "number", ("example", "distance")),
        Column("standard shift", "number", ("shift_standard",)),
        Column("weighted shift", "number", ("shift_weighted",)),
        Column("certificate", "number", ("certificate",)),
    )
    table = Table.of(
        columns,
        rows,
        name="robustness-rate",
        legend=f"slope {fixed(e.slope_standard, 3)} (standard), {fixed(e.slope_weighted, 3)}"
        " (weighted)",
        main=True,
    )
    note = (
        f"λ = {e.example.penalty:g}, K = {e.lipschitz:.3g};"
        f" an exact clone moves the standard fit by {e.standard_limit:.4f}"
    )
    return Section(e.example.name, note, (table,))


def _draw_rates(facts: RobustnessRate) -> Sequence[Chart]:
    charts = []
    for e in facts.examples:
        x = tuple(r.epsilon for r in e.rows)
        charts.append(
            Chart(
                "line",
                f"{e.example.name}: shift against ε",
                "the largest change of an old reward as a clone comes nearer: the weighted shift"
                f" falls with slope {fixed(e.slope_weighted, 3)}",
                "distance of the clone",
                "largest change of a reward",
                (
                    Series("standard", x, tuple(r.standard for r in e.rows)),
                    Series("weighted", x, tuple(r.weighted for r in e.rows)),
                    Series("certificate", x, tuple(r.certificate for r in e.rows), dashed=True),
                ),
                x_log=True,
                y_log=True,
                x_names=tuple((r.epsilon, f"{r.epsilon:g}") for r in e.rows),
            )
        )
    return charts


# --- Table 1 ---


def _two(settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress) -> Table1:
    from cr_audit.simulate.table1 import table_1

    return table_1()


def _show_two(facts: Table1) -> list[Block]:
    """The two populations of Table 1 for some errors C."""
    sentence = (
        "Both populations prefer a to b with probability"
        f" {fixed(facts.rows[0].p_one, 4)}, so no method that sees comparisons tells them apart."
        " Their mean rewards of b differ without bound: whatever is answered, one of them is missed"
        " by more than C."
    )
    columns = (
        Column("C", "number", ("error",)),
        Column("mean one", "number", ("mean_one",)),
        Column("mean two", "number", ("mean_two",)),
        Column("Eq. 5", "number", ("most_one",)),
        Column("Eq. 6", "number", ("least_two",)),
        Column("error", "number", ("unavoidable",)),
    )
    cells = [
        tuple(
            Cell(fixed(v, 4), (v,))
            for v in (
                r.error,
                r.mean_one,
                r.mean_two,
                r.most_one,
                r.least_two,
                r.unavoidable,
            )
        )
        for r in facts.rows
    ]
    legend = (
        "mean = mean reward of b, that of a being 0; error = squared errors of a and b that no"
        " answer avoids in both"
    )
    return [
        Answer((sentence,), "plain"),
        Table.of(columns, cells, name="table-1", legend=legend, main=True),
    ]


# --- the case study ---


def _resolve(options: Mapping[str, Any]) -> dict[str, Any]:
    """Draws by the reward model where nobody said how many."""
    if options["clones"] is not None:
        raise UsageError(
            "needs-write",
            "--clones of clone-robust goes with --write",
            next_step="cr-audit simulate clone-robust --clones 4 --write demo.jsonl",
        )
    out = {name: value for name, value in options.items() if name != "clones"}
    if out["per_topic"] is None:
        out["per_topic"] = WRITTEN if out["texts"] == "written" else PER_TOPIC
    if out["texts"] == "written" and out["per_topic"] > WRITTEN:
        raise UsageError(
            "too-few-texts",
            f"{WRITTEN} answers are written on each topic, --per-topic asks for {out['per_topic']}",
            next_step=f"--per-topic {WRITTEN}, or --texts templates",
        )
    if out["draws"] is None:
        from cr_audit.simulate.case_study import default_draws

        out["draws"] = default_draws(out["reward"])
    return out


def _data(given: Mapping[str, Any]) -> bytes:
    """The JSONL data set in which near-copies flip the winner."""
    import numpy as np

    from cr_audit.simulate import clone_robust as c

    rows = c.clone_robust_dataset(
        clones=given.get("clones", c.DEFAULT_CLONES),
        rng=np.random.default_rng(given.get("seed", c.DEFAULT_SEED)),
    )
    return c.as_jsonl(rows)


def _case(settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress) -> CaseStudy:
    from cr_audit.embed import VectorCache, default_cache_dir, embed_texts, open_backend
    from cr_audit.files import write_stderr
    from cr_audit.simulate.case_study import case_study

    def say(text: str) -> None:
        write_stderr(ascii(text)[1:-1])

    progress("loading the encoder", 0, 0)
    backend = open_backend(settings["model"], cache_dir=default_cache_dir(), notice=say)
    cache = VectorCache(default_cache_dir(), notice=say)
    progress("case study", 0, 0)
    return case_study(
        lambda texts: embed_texts(backend, texts, cache=cache).astype("float64"),
        encoder=backend.name,
        per_topic=settings["per_topic"],
        n_draws=settings["draws"],
        reward=settings["reward"],
        texts=settings["texts"],
        population=settings["population"],
        rng=rng,
    )


def scheme_name(row: CaseRow) -> str:
    """Its weights, as the reports call them."""
    if row.scheme == "uniform":
        return "standard"
    return f"{row.scheme} {row.space}" if row.space else row.scheme


def _schemes(rows: Sequence[CaseRow]) -> list[str]:
    return list(dict.fromkeys(scheme_name(r) for r in rows))


def _numbers(c: CaseStudy) -> list[int]:
    """Numbers of comparisons, 0 for exact preferences."""
    return list(dict.fromkeys(r.n_comparisons for r in c.rows))


def _row(rows: Sequence[CaseRow], scheme: str, clones: str) -> CaseRow:
    return next(r for r in rows if scheme_name(r) == scheme and r.clones == clones)


def _show_case(c: CaseStudy) -> list[Block]:
    """Who leads with clones, then shifts per scheme, then rewards per topic."""
    exact = [r for r in c.rows if r.n_comparisons == 0]
    kept = {s: sum(_row(exact, s, k).kept == 1 for k in c.added) for s in _schemes(exact)}
    moved = {s: sum(_row(exact, s, k).share for k in c.added) for s in kept}
    best = min((s for s in kept if s != "standard"), key=lambda s: (-kept[s], moved[s]))
    shares = ", ".join(f"{_row(exact, best, k).share:.2f} ({k})" for k in c.added)
    sentence = (
        f"Without clones {c.winner} leads. Exactly fitted, it still leads with"
        f" {kept['standard']} of {len(c.added)} kinds of clones under standard rewards and with"
        f" {kept[best]} under {best}, which clones move by these shares of the standard shift:"
        f" {shares}."
    )
    added = "; ".join(f"{k}: {n:,}" for k, n in c.added.items())
    about = (
        f"{c.per_topic:,} {c.texts} texts on each of {', '.join(c.topics)}; clones added: {added}."
        f" Contexts: {c.encoder}; {c.reward} rewards, penalty {c.penalty:g}."
        f" Annotators: {c.population}."
        " kept = the topic that leads without clones still does."
    )
    return [
        Answer((sentence,), "plain"),
        *(_shifts(c, [r for r in c.rows if r.n_comparisons == n], n) for n in _numbers(c)),
        _topics(c),
        Prose((about,), "dim"),
    ]


def _shifts(c: CaseStudy, rows: Sequence[CaseRow], n: int) -> Section:
    """Shift per kind of clones, as a share of the standard fit's where there is room."""
    columns = [Column("weights", "id", ("n_comparisons", "scheme"))]
    for kind in c.added:
        columns += [
            Column(kind, "number", (f"shift_{kind}", f"error_{kind}")),
            Column("share", "number", (f"share_{kind}",), wide=True),
            Column("kept", "number", (f"kept_{kind}",)),
        ]

    def cells(scheme: str) -> list[Cell]:
        out = [Cell(scheme, (n, scheme))]
        for kind in c.added:
            r = _row(rows, scheme, kind)
            shift = f"{r.shift:.3f}" + (f"±{r.error_shift:.3f}" if n else "")
            noise = bool(n) and r.shift < 2 * r.error_shift
            kept = percent(r.kept) if n else ("yes" if r.kept else "no")
            out += [
                Cell(shift, (r.shift, r.error_shift), "dim" if noise else "plain"),
                Cell(f"{r.share:.2f}", (r.share,)),
                Cell(kept, (r.kept,)),
            ]
        return out

    table = Table.of(columns, [cells(s) for s in _schemes(rows)], name="case-study", main=True)
    if n == 0:
        note = "largest change of a topic's mean reward"
        return Section("Exact preferences", note, (table,))
    note = f"mean of {c.n_draws} draws ± standard deviation of one; dim = below two of them"
    return Section(f"{n:,} comparisons", note, (table,))


def _topics(c: CaseStudy) -> Section:
    """Mean reward per topic of the standard and two weighted fits: the paper's figures."""
    cells = []
    for n in _numbers(c):
        rows = [r for r in c.rows if r.n_comparisons == n]
        for scheme in SHOWN:
            before = _row(rows, scheme, next(iter(c.added)))
            label = f"{n:,}" if n else "exact"
            means = _means(before.before, before.error_before, n)
            cells.append((Cell(label), Cell(scheme.removeprefix("voronoi ")), Cell("none"), *means))
            for kind in c.added:
                row = _row(rows, scheme, kind)
                means = _means(row.after, row.error_after, n)
                cells.append((Cell(""), Cell(""), Cell(kind), *means))
    columns = (
        *(Column(title, "id") for title in ("pairs", "weights", "clones")),
        *(Column(topic, "number", (topic, f"error_{topic}")) for topic in c.topics),
    )
    return Section("Mean reward per topic", "", (Table.of(columns, cells, name="topics"),))


def _means(values: FloatArray, errors: FloatArray, n: int) -> list[Cell]:
    best = int(values.argmax())
    return [
        Cell(f"{v:+.3f}" + (f"±{e:.3f}" if n else ""), (v, e), "strong" if k == best else "plain")
        for k, (v, e) in enumerate(zip(values.tolist(), errors.tolist(), strict=True))
    ]


def _draw_case(c: CaseStudy) -> Sequence[Chart]:
    """Rewards per topic without and with clones, per scheme shown, then shifts of all schemes."""
    charts = []
    for n in _numbers(c):
        rows = [r for r in c.rows if r.n_comparisons == n]
        ends = [
            float(end)
            for r in rows
            for means, errors in ((r.before, r.error_before), (r.after, r.error_after))
            for end in (*(means - errors), *(means + errors))
        ]
        for scheme in SHOWN:
            of_scheme = [r for r in rows if scheme_name(r) == scheme]
            charts.append(_topic_chart(c, of_scheme, scheme, n, (min(ends), max(ends))))
    return [*charts, _share_chart(c, [r for r in c.rows if r.n_comparisons == 0])]


def _topic_chart(
    c: CaseStudy, rows: Sequence[CaseRow], scheme: str, n: int, ends: tuple[float, float]
) -> Chart:
    """One column of points per topic, those of each kind of clones a little to the right."""
    series = [("none", rows[0].before, rows[0].error_before)]
    series += [(r.clones, r.after, r.error_after) for r in rows]
    many = f"{n:,} comparisons" if n else "exact preferences"
    return Chart(
        "scatter",
        f"{scheme} rewards, {many}",
        f"mean reward of each topic without clones and with each kind of them, {scheme} fit",
        "topic",
        "mean reward, log-odds",
        tuple(
            Series(
                name,
                tuple(k + (s - 1.5) * 0.16 for k in range(len(c.topics))),
                tuple(means.tolist()),
                tuple((means - errors).tolist()),
                tuple((means + errors).tolist()),
            )
            for s, (name, means, errors) in enumerate(series)
        ),
        x_names=tuple((float(k), topic) for k, topic in enumerate(c.topics)),
        y_range=ends,
    )


def _share_chart(c: CaseStudy, rows: Sequence[CaseRow]) -> Chart:
    """Share of the standard shift, a row of dots per scheme."""
    schemes = tuple(s for s in _schemes(rows) if s != "standard")
    return Chart(
        "interval",
        "share of the standard shift",
        "how far clones move each scheme's rewards, as a share of the standard shift",
        "share",
        "weights",
        (
            Series("none", (), ()),  # so that each kind has its colour of the other charts
            *(
                Series(kind, (), tuple(_row(rows, s, kind).share for s in schemes), labels=schemes)
                for kind in c.added
            ),
        ),
    )


SIMULATIONS = (
    Simulation(
        "clone-robust",
        "[CR] section 5, Figures 3 to 5",
        "descriptions of Paris with and without clones, under every scheme of weights; with"
        " --write, a data set in which near-copies flip the winner (Theorem 3.2)",
        compute=_case,
        show=_show_case,
        pictures=_draw_case,
        also=("case-study",),
        options=(
            Option("clones", "whole", None, "With --write: how many clones.", low=0),
            Option(
                "model",
                "text",
                "static",
                "Encoder of the contexts: static, all-MiniLM-L6-v2, lexical, or a folder.",
                CASE,
            ),
            Option(
                "reward",
                "choice",
                "linear",
                "Reward model; mlp trains 124 ensembles of 20 networks, some seven minutes of"
                " processor time.",
                CASE,
                choices=("linear", "mlp"),
            ),
            Option(
                "texts",
                "choice",
                "templates",
                "Texts: made from templates, or 60 answers a topic that were written for this.",
                CASE,
                choices=("templates", "written"),
            ),
            Option(
                "population",
                "choice",
                "ours",
                "Annotators: ours (art leads), or the paper's, with its design of comparisons"
                " (romance leads).",
                CASE,
                choices=("ours", "paper"),
            ),
            Option(
                "per_topic",
                "whole",
                None,
                "Texts per topic: 100 templates or 60 written unless given.",
                CASE,
                low=10,
                high=1000,
            ),
            Option(
                "draws",
                "whole",
                None,
                "Draws of each number of comparisons: 10 linear, 4 mlp unless given.",
                CASE,
                low=2,
            ),
        ),
        resolve=_resolve,
        data=_data,
    ),
    Simulation(
        "robustness-rate",
        "[CR] Theorems 3.2 and 4.2",
        "how far rewards move as a clone comes nearer, beside the certificate",
        compute=_rates,
        show=_show_rates,
        pictures=_draw_rates,
    ),
    Simulation(
        "table-1",
        "[CR] Table 1 and Theorem 2.3",
        "two populations that no comparisons tell apart, whose mean rewards are far apart",
        compute=_two,
        show=_show_two,
    ),
)
