"""Weights of a ranking after copies of one of its items were added, under every scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np

from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.clones.find import find_clones
from cr_audit.clones.models import model_clones
from cr_audit.simulate.edits import N_VARIANTS, edited
from cr_audit.weights.contexts import model_gram, paired_contexts, points_from_gram
from cr_audit.weights.scheme import STANDARD, Options, Variant, Weighed, variants

__all__ = ["STANDARD", "Copies", "Encode", "Geometry", "Models", "Responses", "Variant"]

OPTIONS = Options(max_products=2e10, sampler="plain")
"""Sampling budget of one estimate: sums over groups of items need far fewer samples than items."""
MAX_EDITED_TEXTS = 4_000
"""Texts that one kind of clones may have encoded; further clones repeat the edited ones."""

Encode = Callable[[list[str]], Float32Array]


@dataclass(frozen=True, slots=True)
class Copies:
    """``n`` clones of item ``target``; edited ones where ``edit``, else word for word."""

    target: int
    n: int
    edit: bool


class Geometry(Protocol):
    """What the items of a ranking are, for weights."""

    schemes: tuple[Variant, ...]

    @property
    def n_items(self) -> int:
        """Items before copies are added."""
        ...

    def weights(self, scheme: Variant, copies: Copies | None, seed: int) -> FloatArray:
        """float64 (n_items + copies.n,), the copies last; sum 1."""
        ...

    def n_variants(self, copies: Copies) -> int:
        """How many different texts (or models) the copies are; 0 where they are exact."""
        ...


@dataclass(slots=True, eq=False)
class Responses:
    """Responses as items: texts str (m,), vectors float32 (m, d), prompts float32 (p, d), prompt_of
    int64 (m,). encode : None where edited copies cannot be made into vectors."""

    texts: list[str]
    prompt_texts: list[str | None]
    vectors: Float32Array
    prompts: Float32Array
    prompt_of: IntArray
    encode: Encode | None
    schemes: tuple[Variant, ...] = field(default_factory=variants)
    _edited: dict[tuple[int, int], tuple[list[str], Float32Array]] = field(default_factory=dict)

    @property
    def n_items(self) -> int:
        """How many responses there are."""
        return len(self.texts)

    def n_variants(self, copies: Copies) -> int:
        """How many edited texts are made for so many copies; 0 where copies are verbatim."""
        return min(copies.n, N_VARIANTS, MAX_EDITED_TEXTS) if copies.edit else 0

    def _copies(self, copies: Copies | None) -> tuple[list[str], Float32Array]:
        if copies is None or copies.n == 0:
            return [], self.vectors[:0]
        text, vector = self.texts[copies.target], self.vectors[copies.target]
        if not copies.edit:
            return [text] * copies.n, np.tile(vector, (copies.n, 1))
        n = self.n_variants(copies)
        key = (copies.target, n)
        if key not in self._edited:
            assert self.encode is not None
            different = [edited(text, v) for v in range(n)]
            self._edited[key] = different, self.encode(different)
        different, vectors = self._edited[key]
        of = np.arange(copies.n) % n
        return [different[v] for v in of], vectors[of]

    def weights(self, scheme: Variant, copies: Copies | None, seed: int) -> FloatArray:
        """Clones are looked for among all texts, the copies included: nothing is taken as known."""
        way = scheme.scheme
        if not (way.uses_clones or way.needs_vectors):
            return _by_number(scheme, self.n_items, copies)
        more, vectors = self._copies(copies)
        texts = self.texts + more
        target = 0 if copies is None else copies.target
        prompt_of = np.append(self.prompt_of, np.full(len(more), self.prompt_of[target]))
        everything = np.concatenate([self.vectors, vectors])
        clone_rng, rng = _streams(seed)
        items = Weighed(len(texts))
        if way.uses_clones:
            clones = find_clones(
                response_texts=texts,
                prompt_of=prompt_of,
                prompt_texts=self.prompt_texts,
                rng=clone_rng,
            ).labels.labels
            items = replace(items, clones=clones)
        if way.needs_vectors:
            index: dict[tuple[int, str], int] = {}
            keys = zip(prompt_of.tolist(), texts, strict=True)
            same = np.array([index.setdefault(k, len(index)) for k in keys], dtype=np.int64)
            contexts = paired_contexts(self.prompts, everything, prompt_of)
            items = replace(items, contexts=contexts, duplicates=same)
        return way.weigh(items, scheme.options(OPTIONS), rng).weights


@dataclass(slots=True, eq=False)
class Models:
    """Models as items: their answers' texts, vectors float32 (a, d), model_of and prompt_of int64
    (a,). Boxes are left out: a Gram matrix does not say how its points are turned."""

    texts: list[str]
    prompt_texts: list[str | None]
    vectors: Float32Array
    model_of: IntArray
    prompt_of: IntArray
    n_items: int
    encode: Encode | None
    schemes: tuple[Variant, ...] = field(default_factory=partial(variants, by_gram=True))
    _edited: dict[tuple[int, int], tuple[list[str], Float32Array]] = field(default_factory=dict)
    _groups: dict[tuple[int, int], IntArray] = field(default_factory=dict)

    def n_variants(self, copies: Copies) -> int:
        """Edited texts per answer of the copied model, so that all of them stay within the
        limit; 0 where copies are verbatim."""
        if not copies.edit:
            return 0
        answers = int((self.model_of == copies.target).sum())
        return max(1, min(copies.n, N_VARIANTS, MAX_EDITED_TEXTS // max(answers, 1)))

    def weights(self, scheme: Variant, copies: Copies | None, seed: int) -> FloatArray:
        """As ``Geometry.weights``; edited copies of a model are new models, exact ones the same."""
        way = scheme.scheme
        if not (way.uses_clones or way.needs_vectors):
            return _by_number(scheme, self.n_items, copies)
        n_copies = 0 if copies is None else copies.n
        texts, vectors, model_of, prompt_of = (
            self.texts,
            self.vectors,
            self.model_of,
            self.prompt_of,
        )
        position, n, target, variants = np.arange(self.n_items), self.n_items, -1, 0
        if copies is not None and copies.n:
            target, variants = copies.target, self.n_variants(copies)
            if variants:
                rows = np.flatnonzero(self.model_of == target)
                more, their_vectors = self._answers(target, rows, variants)
                texts, vectors = texts + more, np.concatenate([vectors, their_vectors])
                model_of = np.append(model_of, n + np.repeat(np.arange(variants), rows.size))
                prompt_of = np.append(prompt_of, np.tile(self.prompt_of[rows], variants))
                position = np.append(position, n + np.arange(n_copies) % variants)
            else:
                position = np.append(position, np.full(n_copies, target))
            n += variants
        clone_rng, rng = _streams(seed)
        items = Weighed(self.n_items + n_copies)
        if way.uses_clones:
            key = (target if variants else -1, variants)
            if key not in self._groups:
                self._groups[key] = self._copying(texts, model_of, prompt_of, n, clone_rng)
            items = replace(items, clones=self._groups[key][position])
        if way.needs_vectors:
            gram = model_gram(vectors, model_of, prompt_of, n).gram
            points, same = points_from_gram(gram[np.ix_(position, position)])
            items = replace(items, contexts=points, duplicates=same)
        return way.weigh(items, scheme.options(OPTIONS), rng).weights

    def _copying(
        self,
        texts: list[str],
        model_of: IntArray,
        prompt_of: IntArray,
        n: int,
        rng: np.random.Generator,
    ) -> IntArray:
        """Models whose answers are clones of each other have equal labels: int64 (n,)."""
        found = find_clones(
            response_texts=texts, prompt_of=prompt_of, prompt_texts=self.prompt_texts, rng=rng
        )
        return model_clones(model_of, prompt_of, found.labels, n).labels

    def _answers(
        self, target: int, rows: IntArray, variants: int
    ) -> tuple[list[str], Float32Array]:
        key = (target, variants)
        if key not in self._edited:
            assert self.encode is not None
            texts = [edited(self.texts[i], v) for v in range(variants) for i in rows]
            self._edited[key] = texts, self.encode(texts)
        return self._edited[key]


def _by_number(scheme: Variant, n_items: int, copies: Copies | None) -> FloatArray:
    """Weights of a scheme that looks at nothing but how many items there are."""
    items = Weighed(n_items + (0 if copies is None else copies.n))
    return scheme.scheme.weigh(items, scheme.options(OPTIONS), np.random.default_rng(0)).weights


def _streams(seed: int) -> list[np.random.Generator]:
    """For the search for clones and for the weights: what one draws must not move the other."""
    return np.random.default_rng(seed).spawn(2)
