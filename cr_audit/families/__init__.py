"""One folder per thing to audit.

A family is a folder of small modules, each with a role: ``facts`` (frozen records), ``compute``
(a run in, facts out), ``rules`` (texts and judgement), ``show`` (facts to blocks), ``page``
(what a browser's page shows beyond them), ``wire`` (records of the JSON contract), ``command`` and
``simulate``. A role that it does not have it does
without: a family without ``compute`` reads the base facts of the run. One call of ``register``
adds it to ``--help``, every format, the schema, ``explain`` and the documentation; nothing is
imported before it is needed. docs/contributing.md shows how one is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cr_audit.findings import Rule
    from cr_audit.run import Run

Role = Literal["compute", "rules", "show", "page", "wire", "command", "simulate"]


@dataclass(frozen=True, slots=True)
class Family:
    """One thing to audit.

    module : the package whose modules have the roles; with ``one_file`` the module that has them
    all. roles : those it has. in_scan : whether ``cr-audit scan`` looks at it. not_run : parts of
    the JSON document that say why they are missing where the family did not run. said : the place
    of its sentences in the first paragraph of a scan: what does most harm first, where to go from
    here last. in_gate : whether the document of a gate holds its parts although it computes
    something, since that costs little; those that stand on the base facts alone it always holds.
    """

    name: str
    module: str
    roles: tuple[Role, ...]
    in_scan: bool = False
    not_run: tuple[tuple[str, str], ...] = ()
    one_file: bool = False
    said: int = 0
    in_gate: bool = False

    def part(self, role: Role) -> Any:
        """The module of one role; None where the family does without."""
        if role not in self.roles:
            return None
        return import_module(self.module if self.one_file else f"{self.module}.{role}")

    def compute(self, run: Run) -> Any:
        """The family's facts."""
        part = self.part("compute")
        return run.analysis if part is None else part.compute(run)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Its own, and those that ``add_rule`` gave it."""
        part = self.part("rules")
        return (*(() if part is None else part.RULES), *_ADDED.get(self.name, ()))


FAMILIES: dict[str, Family] = {}
_ADDED: dict[str, list[Rule]] = {}


def register(family: Family) -> None:
    """Add a family. Raises ValueError for a name that is taken."""
    if family.name in FAMILIES:
        raise ValueError(f"there is a family {family.name!r} already")
    FAMILIES[family.name] = family


def add_rule(family: str, rule: Rule) -> None:
    """Give a family one more rule, which judges its facts. Raises ValueError for a taken id."""
    if rule.id in {r.id for f in FAMILIES.values() for r in f.rules}:
        raise ValueError(f"there is a rule {rule.id} already")
    _ADDED.setdefault(family, []).append(rule)


def with_role(role: Role) -> Iterator[tuple[Family, Any]]:
    """Every family that has a role, and its module."""
    for family in FAMILIES.values():
        part = family.part(role)
        if part is not None:
            yield family, part


def all_rules() -> tuple[Rule, ...]:
    """The rules of all families, by id."""
    return tuple(sorted((r for f in FAMILIES.values() for r in f.rules), key=lambda r: r.id))


_HERE = "cr_audit.families"
for _family in (
    Family(
        "clones",
        f"{_HERE}.clones",
        ("rules", "show", "page", "wire", "command"),
        in_scan=True,
        said=2,
    ),
    Family(
        "weights",
        f"{_HERE}.weights",
        ("compute", "rules", "show", "page", "wire", "command", "simulate"),
        in_scan=True,
        said=3,
        in_gate=True,
    ),
    Family(
        "rankings",
        f"{_HERE}.rankings",
        ("rules", "show", "page", "wire", "command", "simulate"),
        in_scan=True,
        said=4,
    ),
    Family("comparisons", f"{_HERE}.comparisons", ("rules",), in_scan=True),
    Family(
        "leaderboard",
        f"{_HERE}.leaderboard",
        ("compute", "rules", "show", "page", "wire", "command"),
    ),
    Family("rows", f"{_HERE}.rows", ("rules", "show", "wire"), in_scan=True, said=1),
    Family(
        "kinds",
        f"{_HERE}.kinds",
        ("compute", "rules", "show", "page", "wire", "command"),
        in_scan=True,
        said=5,
    ),
    Family("prompts", f"{_HERE}.prompts", ("compute", "show", "wire"), in_scan=True),
    Family("meaning", f"{_HERE}.meaning", ("compute", "show", "wire"), in_scan=True),
    Family(
        "paraphrases",
        f"{_HERE}.paraphrases",
        ("compute", "rules", "show", "wire"),
        in_scan=True,
        said=6,
    ),
    Family(
        "rewards",
        f"{_HERE}.rewards",
        ("compute", "rules", "show", "page", "wire", "command", "simulate"),
        not_run=(("rewards", "cr-audit refit computes rewards"),),
    ),
    Family("stress", f"{_HERE}.stress", ("compute", "show", "wire", "command")),
    Family(
        "sensitivity",
        f"{_HERE}.sensitivity",
        ("compute", "rules", "show", "page", "wire", "command", "simulate"),
    ),
    Family(
        "choices",
        f"{_HERE}.choices",
        ("compute", "rules", "show", "page", "wire", "command", "simulate"),
    ),
):
    register(_family)
