"""What kind of text a question asks for: a linear head over words and pairs of words, trained by `train`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
WEIGHTS = DATA / "head.npz"

_TOKEN = re.compile(r"[\u3040-\u9fff]|[^\W\d_\u3040-\u9fff]+|\d+|[?¿]")
_CONTRACTION = re.compile(r"\b(what|where|who|how|when)s\b")
QUOTED = re.compile(r"[\"“”„«»][^\"“”„«»]{1,200}[\"“”„«»]|(?<!\w)['‘][^'‘’]{2,200}['’](?!\w)")
_CAPITALS = re.compile(r"\b[A-ZÀ-Þ0-9][A-ZÀ-Þ0-9&.-]+\b")
ACRONYMS = frozenset("OCR OK PLEASE URL ID SMS PDF CCTV I A TV USA UK US ISBN ISSN LCD LED VAT".split())
"""Words in capitals that needn't stand in the picture."""
_MAX_TOKENS = 60


@dataclass(frozen=True)
class Recognition:
    """The kind that a question asks for.

    Attributes:
        kind: the likeliest.
        probability: its own, 0 to 1.
        margin: by how much it exceeds the next, 0 to 1.
        readable: probability that text can answer at all, 0 to 1.
        sought: the likeliest of the kinds that text can answer.
    """

    kind: str
    probability: float
    margin: float
    readable: float
    sought: str


NOT_TEXT = frozenset({"eyes", "knowledge"})
"""Kinds of question that the text in a picture can't answer."""


def tokens(question: str) -> list[str]:
    """Lower-case words; a quotation is "<quote>", a word in capitals in a question that isn't is "<quote>" as well."""
    text = QUOTED.sub(" QQQ ", question[:2000])
    if sum(map(str.islower, text)) > sum(map(str.isupper, text)):
        text = _CAPITALS.sub(_quote, text)
    words = _TOKEN.findall(_CONTRACTION.sub(r"\1 s", text.lower()))[:_MAX_TOKENS]
    return ["<quote>" if word == "qqq" else "<number>" if word.isdigit() else word for word in words]


def _quote(match: re.Match[str]) -> str:
    return " QQQ " if any(map(str.isalpha, match[0])) and match[0] not in ACRONYMS else match[0]


def features(words: Sequence[str], known: frozenset[str] | set[str]) -> set[str]:
    """Words and pairs of neighbouring words; a word that isn't known is "<other>"."""
    kept = ["<start>", *(word if word in known else "<other>" for word in words), "<end>"]
    return {*kept, *map(" ".join, itertools.pairwise(kept))} - {"<start>", "<end>"}


class Head:
    """Weights of the trained head.

    Args:
        kinds: what can be asked for.
        vocabulary: features, in the order of the rows of `weights`.
        weights: shape (features + 1, kinds); the last row is the bias.
    """

    def __init__(self, kinds: Sequence[str], vocabulary: Sequence[str], weights: NDArray[np.float32]) -> None:
        self.kinds = list(kinds)
        self._rows = {feature: row for row, feature in enumerate(vocabulary)}
        self._known = frozenset(feature for feature in vocabulary if " " not in feature)
        self._weights = weights

    @classmethod
    @cache
    def load(cls) -> Head:
        """The head that ships with the package."""
        with np.load(WEIGHTS, allow_pickle=False) as stored:
            weights = stored["weights"].astype(np.float32) * stored["scale"]
            return cls(stored["kinds"].tolist(), str(stored["vocabulary"]).split("\n"), weights)

    def probabilities(self, question: str) -> NDArray[np.float32]:
        """Of each kind, shape (kinds,)."""
        rows = [self._rows[name] for name in features(tokens(question), self._known) if name in self._rows]
        scores = self._weights[rows].sum(axis=0) / max(1.0, len(rows)) ** 0.5 + self._weights[-1]
        odds = np.exp(scores - scores.max())
        return np.asarray(odds / odds.sum(), np.float32)

    def recognise(self, question: str) -> Recognition:
        """The kind that a question asks for, and how clearly."""
        found = self.probabilities(question)
        order = np.argsort(-found, kind="stable")
        readable = float(sum(p for kind, p in zip(self.kinds, found, strict=True) if kind not in NOT_TEXT))
        best, second = float(found[order[0]]), float(found[order[1]])
        sought = next(self.kinds[index] for index in order if self.kinds[index] not in NOT_TEXT)
        return Recognition(self.kinds[order[0]], best, best - second, readable, sought)
