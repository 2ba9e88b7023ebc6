"""The tests of IIA that a grouping of the members allows, and why the others do not apply."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import norm
from cr_audit.families.choices.compute.designs import (
    Covariates,
    constants,
    design_of,
    n_stages,
    stages_of,
    within_budget,
)
from cr_audit.families.choices.compute.kinds import Kinds
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.families.choices.compute.pairs import PairLists
from cr_audit.families.choices.facts import IiaTest, SkippedTest, TestKind
from cr_audit.models.listwise.designs import ChoiceDesign
from cr_audit.models.listwise.designs import centred as centred_columns
from cr_audit.models.listwise.family_wise import holm
from cr_audit.models.listwise.hausman import Hausman, Quadratic, hausman_mcfadden
from cr_audit.models.listwise.logit import LogitFit, LogitStatus, fit_logit
from cr_audit.models.listwise.nested import LambdaFlag, fit_nested
from cr_audit.models.listwise.slope import Slope, choice_slope

# Rows times columns of one design: fits of a test take about a second per 10⁷ of them.
BUDGET = 1_000_000
# The same where there are more than so many kinds, of which the most chosen are looked at.
BUDGET_MANY = 200_000
MAX_NEST_KINDS = 8
N_FOREMOST = 5
# Choices of each kind that must be left where another kind is dropped.
MIN_CHOSEN = 10
# Lists that must differ in what they offer before a slope is looked at.
MIN_VARIED = 20
# Lists that must offer two members of one kind beside another kind.
MIN_SHARED = 20

Test = IiaTest | SkippedTest


def slopes_of(
    kinds: Kinds, lists: Lists, pairs: Sequence[PairLists], covariates: Covariates, level: float
) -> dict[tuple[int, int], Slope | NotApplicable]:
    """The slope of every pair of kinds, or why there is none."""
    out: dict[tuple[int, int], Slope | NotApplicable] = {}
    for p in pairs:
        ratio = np.round(np.log(p.k_first / p.k_second), 12)
        _, count = np.unique(ratio, return_counts=True)
        n_varied = int(p.n - count.max(initial=0))
        if n_varied < MIN_VARIED:
            out[p.first, p.second] = NotApplicable(
                f"{n_varied} lists offer the two kinds in another proportion than most,"
                f" fewer than {MIN_VARIED}"
            )
            continue
        out[p.first, p.second] = choice_slope(
            p.k_first,
            p.k_second,
            p.chosen,
            mass=p.mass,
            unit=p.unit,
            covariates=_differences(kinds, lists, p, covariates),
            level=level,
        )
    return out


def _differences(kinds: Kinds, lists: Lists, p: PairLists, covariates: Covariates) -> FloatArray:
    """Means of the covariates over the first kind's members minus the second's, per list."""
    out = np.zeros((p.n, len(covariates.names)))
    for j in range(out.shape[1]):
        for kind, sign, k in ((p.first, 1, p.k_first), (p.second, -1, p.k_second)):
            at = kinds.labels == kind
            total = np.bincount(lists.owner[at], covariates.columns[at, j], minlength=lists.n)
            out[:, j] += sign * total[p.at] / k
    # Around their means, so that the intercept speaks of two average members.
    mean = np.einsum("n,nj->j", p.mass, out) / max(float(p.mass.sum()), 1e-300)
    centred: FloatArray = out - mean
    return centred


def slope_tests(
    kinds: Kinds, slopes: Mapping[tuple[int, int], Slope | NotApplicable]
) -> Iterator[Test]:
    """A test of the slope for each pair of kinds; one where all lack a slope for one reason."""
    missing = [s for s in slopes.values() if isinstance(s, NotApplicable)]
    if len(missing) == len(slopes) > 1 and len({m.reason for m in missing}) == 1:
        yield SkippedTest(TestKind.SLOPE, kinds.scheme, "every pair of kinds", missing[0].reason)
        return
    for (a, b), slope in slopes.items():
        subject = f"{kinds.names[a]} / {kinds.names[b]}"
        if isinstance(slope, NotApplicable):
            yield SkippedTest(TestKind.SLOPE, kinds.scheme, subject, slope.reason)
            continue
        yield IiaTest(
            kind=TestKind.SLOPE,
            scheme=kinds.scheme,
            subject=subject,
            effect=slope.tau,
            low=slope.low,
            high=slope.high,
            statistic=((slope.tau - 1) / slope.tau_robust) ** 2,
            degrees_of_freedom=1,
            p_value=slope.p_iia,
            adjusted=np.nan,
            n_lists=slope.n_lists,
            flag="",
            detail={
                "intercept": slope.intercept,
                "error": slope.tau_robust,
                "p_dichotomy": slope.p_dichotomy,
                "n_varied": slope.n_varied,
            },
        )


def model_tests(
    kinds: Kinds,
    lists: Lists,
    covariates: Covariates,
    n_shared: int,
    level: float,
    rng: np.random.Generator,
) -> tuple[list[Test], tuple[int, int]]:
    """Nested logit and Hausman–McFadden; and how many lists of how many they were made on."""
    n_columns = (kinds.n - 1 if kinds.named else 0) + len(covariates.names)
    budget = BUDGET if kinds.n <= MAX_NEST_KINDS else BUDGET_MANY
    cost = lists.sizes
    if kinds.named and n_shared < MIN_SHARED:
        cost = lists.sizes * n_stages(lists)
    keep = within_budget(cost, budget // max(n_columns, 1), rng)
    few = lists.only(keep)
    rows = keep[lists.owner]
    kinds = replace(kinds, labels=kinds.labels[rows])
    columns = covariates.columns[rows]
    if kinds.named:
        columns = np.concatenate([constants(kinds), columns], axis=1)
    labels = kinds.labels
    if kinds.named and n_shared < MIN_SHARED:
        # Rankings of single items: every place is a choice from those that are left.
        at, design = stages_of(few)
        design, labels = design.with_columns(columns[at]), labels[at]
    else:
        design = design_of(few, columns)
    design, labels = _known(design, labels)
    design, labels = _often_chosen(kinds, design, labels)
    found = [
        *_nested(kinds, few, design, labels, n_shared, level),
        *_hausman(kinds, few, design, labels),
    ]
    return found, (few.n, lists.n)


def _often_chosen(
    kinds: Kinds, design: ChoiceDesign, labels: IntArray
) -> tuple[ChoiceDesign, IntArray]:
    """Without the kinds that are chosen fewer than ``MIN_CHOSEN`` times, and the lists that chose
    them: under IIA the choices among the others are a logit all the same, and a constant that
    hangs on a handful of choices is none."""
    if not kinds.named or design.n == 0:
        return design, labels
    known = labels >= 0
    chosen = np.bincount(labels[known], design.share[known], minlength=kinds.n)
    rare = chosen < MIN_CHOSEN
    if not rare.any():
        return design, labels
    keep = ~(known & rare[np.maximum(labels, 0)])
    return design.without_rows(keep), _left(design, labels, keep)


def _known(design: ChoiceDesign, labels: IntArray) -> tuple[ChoiceDesign, IntArray]:
    """Without lists that have no choice left, should there be any member without a column value."""
    if design.n == 0 or np.isfinite(design.columns).all():
        return design, labels
    good = np.isfinite(design.columns).all(axis=1)
    whole = np.add.reduceat(~good, design.offsets[:-1]) == 0
    return design.lists(whole), labels[whole[design.owner]]


def _nested(
    kinds: Kinds,
    lists: Lists,
    design: ChoiceDesign,
    labels: IntArray,
    n_shared: int,
    level: float,
) -> Iterator[Test]:
    scheme = kinds.scheme
    if design.n == 0 or int(design.sizes.max(initial=0)) < 3:
        reason = "no list has three members or more"
        yield SkippedTest(TestKind.NESTED, scheme, "all kinds", reason)
        return
    logit = fit_logit(design)
    if n_shared >= MIN_SHARED or not kinds.named:
        yield _nest(kinds, lists, design, labels, "all kinds", logit, level)
        return
    if len(foremost(kinds, design, labels)) < 3:
        reason = "fewer than three kinds are chosen often enough"
        yield SkippedTest(TestKind.NESTED, scheme, "pairs of kinds", reason)
        return
    for a, b in itertools.combinations(foremost(kinds, design, labels), 2):
        nests = np.where((labels == a) | (labels == b), 0, -1).astype(np.int64)
        subject = f"{kinds.names[a]} + {kinds.names[b]}"
        yield _nest(kinds, lists, design, nests, subject, logit, level)


def _nest(
    kinds: Kinds,
    lists: Lists,
    design: ChoiceDesign,
    nests: IntArray,
    subject: str,
    logit: LogitFit,
    level: float,
) -> Test:
    fit = fit_nested(design, nests, logit=logit)
    if isinstance(fit, NotApplicable):
        return SkippedTest(TestKind.NESTED, kinds.scheme, subject, fit.reason)
    flag = fit.flags[0]
    if flag is LambdaFlag.FLAT:
        reason = "the other coefficients can undo any λ: these lists cannot tell it"
        return SkippedTest(TestKind.NESTED, kinds.scheme, subject, reason)
    inside = flag in (LambdaFlag.INSIDE, LambdaFlag.ABOVE_ONE)
    error = float(fit.robust_errors[-1])
    lam = float(fit.lambdas[0]) if inside else (0.0 if flag is LambdaFlag.AT_ZERO else np.inf)
    clustered = bool(np.unique(design.unit).size < design.n)
    wald = ((lam - 1) / error) ** 2 if inside and error > 0 else np.nan
    # Lists that hang together make the ratio too large; then the robust Wald test decides.
    p = 2 * norm.sf(np.sqrt(wald)) if clustered and np.isfinite(wald) else fit.p_value
    z = float(norm.ppf(0.5 + level / 2))
    return IiaTest(
        kind=TestKind.NESTED,
        scheme=kinds.scheme,
        subject=subject,
        effect=lam,
        low=max(lam - z * error, 0.0) if inside else np.nan,
        high=lam + z * error if inside else np.nan,
        statistic=fit.likelihood_ratio,
        degrees_of_freedom=fit.degrees_of_freedom,
        p_value=float(p),
        adjusted=np.nan,
        n_lists=_n_lists(lists, design),
        flag=str(flag),
        detail={
            "likelihood_ratio_p": fit.p_value,
            "wald": float(wald),
            "error": error,
            "gradient_norm": fit.gradient_norm,
            "log_likelihood": fit.log_likelihood,
            "logit_log_likelihood": fit.logit_log_likelihood,
            "best_start": max(fit.starts),
            "worst_start": min(fit.starts),
        },
    )


def _hausman(kinds: Kinds, lists: Lists, design: ChoiceDesign, labels: IntArray) -> Iterator[Test]:
    scheme = kinds.scheme
    if not kinds.named or kinds.n < 3:
        reason = "there are only two kinds" if kinds.named else "the kinds differ from list to list"
        yield SkippedTest(TestKind.HAUSMAN, scheme, "each kind dropped", reason)
        return
    if design.n == 0:
        yield SkippedTest(TestKind.HAUSMAN, scheme, "each kind dropped", "there is no list")
        return
    full = fit_logit(design)
    for kind in foremost(kinds, design, labels):
        name = kinds.names[kind]
        left = design.without_rows(labels != kind)
        labels_left = _left(design, labels, labels != kind)
        counts = np.bincount(labels_left, left.share, minlength=kinds.n)
        few = int(np.sum((counts > 0) & (counts < MIN_CHOSEN)))
        if few:
            reason = f"without it some kind is chosen fewer than {MIN_CHOSEN} times"
            yield SkippedTest(TestKind.HAUSMAN, scheme, name, reason)
            continue
        found = hausman_mcfadden(design, labels == kind, full=full)
        if isinstance(found, NotApplicable):
            yield SkippedTest(TestKind.HAUSMAN, scheme, name, found.reason)
        else:
            yield _dropped(kinds, lists, design, name, found)


def _dropped(kinds: Kinds, lists: Lists, design: ChoiceDesign, name: str, found: Hausman) -> Test:
    """The textbook statistic where it exists and lists are independent, else the joint one."""
    clustered = bool(np.unique(design.unit).size < design.n)
    classical = found.classical if isinstance(found.classical, Quadratic) else None
    joint = found.joint if isinstance(found.joint, Quadratic) else None
    used = joint if clustered or classical is None else classical
    reason = found.classical.reason if isinstance(found.classical, NotApplicable) else ""
    if used is None:
        why = found.joint.reason if isinstance(found.joint, NotApplicable) else reason
        return SkippedTest(TestKind.HAUSMAN, kinds.scheme, name, reason or why)
    return IiaTest(
        kind=TestKind.HAUSMAN,
        scheme=kinds.scheme,
        subject=name,
        effect=found.effect,
        low=np.nan,
        high=np.nan,
        statistic=used.statistic,
        degrees_of_freedom=used.degrees_of_freedom,
        p_value=used.p_value,
        adjusted=np.nan,
        n_lists=_n_lists(lists, design),
        flag="joint" if used is joint else "classical",
        detail={
            "classical": reason if classical is None else classical.statistic,
            "classical_p": np.nan if classical is None else classical.p_value,
            "joint": np.nan if joint is None else joint.statistic,
            "joint_p": np.nan if joint is None else joint.p_value,
            "smallest_eigenvalue": found.smallest,
            "largest_eigenvalue": found.largest,
            "rank": used.degrees_of_freedom,
            "pseudo_inverse": int(used.pseudo_inverse),
            "n_kept": found.n_kept,
        },
    )


def foremost(kinds: Kinds, design: ChoiceDesign, labels: IntArray) -> list[int]:
    """All kinds, or the most chosen ones where there are more than ``MAX_NEST_KINDS``."""
    known = labels >= 0
    present = np.unique(labels[known])
    if present.size <= MAX_NEST_KINDS:
        return [int(k) for k in present]
    chosen = np.bincount(labels[known], design.share[known], minlength=kinds.n)
    return sorted(np.lexsort((np.arange(kinds.n), -chosen))[:N_FOREMOST].tolist())


def _left(design: ChoiceDesign, labels: IntArray, keep: BoolArray) -> IntArray:
    """Labels of the rows that ``design.without_rows(keep)`` has."""
    marked = design.with_columns(labels[:, None].astype(np.float64)).without_rows(keep)
    return marked.columns[:, 0].astype(np.int64)


def _n_lists(lists: Lists, design: ChoiceDesign) -> int:
    return min(lists.n, design.n)


def size_test(kinds: Kinds, lists: Lists, covariates: Covariates, level: float) -> Test:
    """How the chance of a member falls with the copies of it in the list: clones without names.

    The column ln(members of its own kind in the list) has the coefficient τ − 1 of a slope: 0 under
    IIA, −1 where the copies share what one of them would get.
    """
    subject = "copies in the list"
    key = lists.owner * (kinds.n + 1) + kinds.labels
    known = kinds.labels >= 0
    size = np.ones(kinds.labels.size)
    _, inverse, count = np.unique(key[known], return_inverse=True, return_counts=True)
    size[known] = count[inverse]
    columns = np.concatenate([np.log(size)[:, None], covariates.columns], axis=1)
    fit = fit_logit(design_of(lists, columns))
    if fit.status is not LogitStatus.CONVERGED or not fit.identified[0]:
        reason = "copies cannot be told from the other columns"
        return SkippedTest(TestKind.SLOPE, kinds.scheme, subject, reason)
    tau, error = float(fit.coefficients[0]) + 1.0, float(fit.robust_errors[0])
    z = float(norm.ppf(0.5 + level / 2))
    varied = np.add.reduceat(
        np.abs(centred_columns(np.log(size)[:, None], lists.sets.offsets))[:, 0],
        lists.sets.offsets[:-1],
    )
    return IiaTest(
        kind=TestKind.SLOPE,
        scheme=kinds.scheme,
        subject=subject,
        effect=tau,
        low=tau - z * error,
        high=tau + z * error,
        statistic=((tau - 1) / error) ** 2,
        degrees_of_freedom=1,
        p_value=float(2 * norm.sf(abs(tau - 1) / error)),
        adjusted=np.nan,
        n_lists=lists.n,
        flag="",
        detail={"error": error, "n_varied": int((varied > 1e-9).sum())},
    )


def adjusted(groups: Sequence[Sequence[Test]]) -> list[list[Test]]:
    """The same tests with Holm's p-values over all of them."""
    flat = [t.p_value if isinstance(t, IiaTest) else np.nan for tests in groups for t in tests]
    values = iter(holm(np.array(flat, dtype=np.float64)).tolist())
    out: list[list[Test]] = []
    for tests in groups:
        row: list[Test] = []
        for t in tests:
            value = next(values)
            row.append(replace(t, adjusted=value) if isinstance(t, IiaTest) else t)
        out.append(row)
    return out
