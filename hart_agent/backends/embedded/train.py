"""Trains the head that recognises what a question asks for: `python -m hart_agent.backends.embedded.train`.

The phrasings lie in `data/phrasings`, one file a split, each line a kind and a way to ask for it. A new way to ask is a
new line there. The report is by cross-validation: each split is judged by a head that was trained without it.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hart_agent.backends.embedded.head import DATA, NOT_TEXT, WEIGHTS, Head, features, tokens

Example = tuple[str, str]
"""A kind and a question."""

_FILLINGS = 2
_LEAST = 3
"""How often a word must occur to be a feature."""
_STEPS, _RATE, _DECAY = 100, 0.1, 2e-5
_SLOTS = {
    "{at}": ["", "", " on the {colour} sign", " for {noun}", " {place}", " on the sign"],
    "{sign}": ["the sign", "the {colour} sign", "the {colour} board", "the sign {place}", "the notice with {text}",
               "the sign that says {text}", "the biggest sign", "the smallest sign", "this", "the label"],
    "{noun}": ["the zzz", "the zzz", "the zzz zzz", "zzz", "the shop", "the zzz's"],
    "{text}": ["ZZZ", '"zzz"', "zzz", "zzz zzz", "ZZZ ZZZ", "Zzz", "Zzz 12", "12 345"],
    "{day}": ["Monday", "sunday", "Saturdays", "wednesday"],
    "{colour}": ["red", "blue", "green", "yellow", "white", "black", "brown", "grey", "orange", "purple"],
    "{place}": ["on the left", "on the right", "at the top", "in the bottom left corner", "in the middle", "top right"],
}  # fmt: skip
"""What may fill a slot of a phrasing; "zzz" stands for a word that no phrasing holds."""
_OPENERS = ["please, ", "hi, ", "can you tell me ", "excuse me, ", "do you know ", ""]


def phrasings(folder: Path = DATA / "phrasings") -> dict[str, list[Example]]:
    """The phrasings of each split, slots and all.

    Raises:
        ValueError: a line is not a kind, a tab and a phrasing.
    """
    splits: dict[str, list[Example]] = {}
    for path in sorted(folder.glob("*.tsv")):
        splits[path.stem] = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            kind, tab, phrasing = line.partition("\t")
            if not (kind and tab and phrasing):
                raise ValueError(f"{path}, line {number}: expected a kind, a tab and a phrasing, got {line!r}")
            splits[path.stem].append((kind, phrasing))
    return splits


def fill(phrasing: str, rng: random.Random) -> list[str]:
    """A phrasing with its slots filled some ways, typed carefully and carelessly."""
    found = []
    for index in range(_FILLINGS):
        text = phrasing
        for slot, choices in _SLOTS.items():
            if slot in text:
                text = text.replace(slot, rng.choice(choices))
        if index:
            text = rng.choice(_OPENERS) + text
        found.append(text.lower().rstrip("?. ") if index and "ZZZ" not in text else text)
    return found


def train(examples: Sequence[Example], seed: int = 0) -> Head:
    """Multinomial logistic regression, by full gradients with Adam."""
    rng = random.Random(seed)
    filled = [(kind, text) for kind, phrasing in examples for text in fill(phrasing, rng)]
    kinds = sorted({kind for kind, _ in filled})
    words = [tokens(text) for _, text in filled]
    count = Counter(word for text in words for word in set(text) if "zzz" not in word)
    known = {word for word, times in count.items() if times >= _LEAST}
    known |= {"<other>", "<quote>", "<number>"}
    sets = [features(text, known) for text in words]
    often = Counter(name for names in sets for name in names)
    vocabulary = sorted(name for name, times in often.items() if times >= _LEAST or name in known)
    row = {name: index for index, name in enumerate(vocabulary)}
    columns = [sorted(row[name] for name in names if name in row) for names in sets]
    target = np.eye(len(kinds), dtype=np.float32)[[kinds.index(kind) for kind, _ in filled]]
    return Head(kinds, vocabulary, _fit(columns, len(vocabulary), target))


def _fit(columns: Sequence[Sequence[int]], count: int, target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of shape (count + 1, kinds) for examples given by the columns of their features; the bias is last."""
    sizes = np.array([max(1, len(found)) for found in columns])
    column = np.array([found for some in columns for found in (some or [count])])  # no feature: the bias once more
    value = np.repeat(1 / np.sqrt(sizes), sizes).astype(np.float32)[:, None]
    example, starts = np.repeat(np.arange(len(columns)), sizes), np.r_[0, np.cumsum(sizes)[:-1]]
    order = np.argsort(column, kind="stable")
    used, firsts = np.unique(column[order], return_index=True)
    weights = np.zeros((count + 1, target.shape[1]), np.float32)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, _STEPS + 1):
        scores = np.add.reduceat(weights[column] * value, starts) + weights[-1]
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (odds / odds.sum(axis=1, keepdims=True) - target) / len(columns)
        gradient = _DECAY * weights
        gradient[used] += np.add.reduceat((error[example] * value)[order], firsts)
        gradient[-1] += error.sum(axis=0)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        weights -= _RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-6)
    return weights


def save(head: Head, path: Path = WEIGHTS) -> None:
    """Write the weights, rounded to a byte each."""
    weights = head._weights
    scale = np.float32(np.abs(weights).max() / 127)
    rounded = np.rint(weights / scale).astype(np.int8)
    np.savez_compressed(path, kinds=head.kinds, vocabulary="\n".join(head._rows), weights=rounded, scale=scale)


def cross_validate(splits: dict[str, list[Example]]) -> list[str]:
    """A line per split: how often a head that was trained on the others recognises the kind, and text or not."""
    lines = [f"{'split':14} {'n':>5} {'kind':>7} {'text or not':>12}"]
    total = [0, 0, 0]
    for name, held_out in splits.items():
        head = train([example for other, examples in splits.items() if other != name for example in examples])
        rng = random.Random(1)
        phrased = [(kind, text) for kind, phrasing in held_out for text in fill(phrasing, rng)]
        found = [head.recognise(text).kind for _, text in phrased]
        right = sum(kind == other for (kind, _), other in zip(phrased, found, strict=True))
        same = sum((kind in NOT_TEXT) == (other in NOT_TEXT) for (kind, _), other in zip(phrased, found, strict=True))
        total = [a + b for a, b in zip(total, (len(phrased), right, same), strict=True)]
        lines.append(f"{name:14} {len(phrased):5} {right / len(phrased):7.1%} {same / len(phrased):12.1%}")
        for (kind, text), other in zip(phrased, found, strict=True):
            if kind != other and "-v" in sys.argv:
                lines.append(f"    {text!r}: {kind}, recognised as {other}")
    lines.append(f"{'all':14} {total[0]:5} {total[1] / total[0]:7.1%} {total[2] / total[0]:12.1%}")
    return lines


def main() -> None:
    splits = phrasings()
    print("\n".join(cross_validate(splits)))
    save(train([example for examples in splits.values() for example in examples]))
    print(f"{sum(map(len, splits.values()))} phrasings; weights written to {WEIGHTS} ({WEIGHTS.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
