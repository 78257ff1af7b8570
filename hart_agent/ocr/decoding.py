"""From the recogniser's scores to text: CTC decoding, with word spaces that the ink shows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hart_agent.ocr.quads import LINE_HEIGHT, STRETCH

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float32]

_STEP = 8  # Columns of the crop per step of the scores.
_MAYBE_SPACE = 0.02
_FADED_DOT = 0.015  # Small letters lose the dot of an i and look like an l; a real l leaves the i less than this.
_ASCII_FORMS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # Full-width forms to ASCII.


def decode(scores: Floats, characters: Sequence[str], crop: Pixels) -> tuple[str, float]:
    """The text of a line and its mean character probability.

    Args:
        scores: shape (steps, classes).
        characters: of each class; the first is the CTC blank, the last the space.
        crop: the line's pixels, from which doubtful spaces are decided by the width of the gap.
    """
    import numpy as np

    codes, space = scores.argmax(1), len(characters) - 1
    i, tall_strokes = characters.index("i"), [characters.index(stroke) for stroke in "lI"]
    codes[np.isin(codes, tall_strokes) & (scores[:, i] >= _FADED_DOT)] = i
    steps = np.flatnonzero((codes != 0) & np.r_[True, codes[1:] != codes[:-1]])
    if not len(steps):
        return "", 0.0
    empty, tall = _empty_columns(crop)
    pairs = list(itertools.pairwise(steps))
    gaps = [_longest_run(empty[a * _STEP + 4 : b * _STEP + 4]) / STRETCH for a, b in pairs]
    wide = max(1.9 * float(np.median(gaps)), 0.2 * tall) if gaps else 0.0
    text = characters[codes[steps[0]]]
    for (a, b), gap in zip(pairs, gaps, strict=True):
        doubt = codes[a] != space != codes[b] and scores[a + 1 : b, space].max(initial=0.0) >= _MAYBE_SPACE
        text += (" " if doubt and gap >= wide else "") + characters[codes[b]]
    return text.translate(_ASCII_FORMS), float(scores[steps, codes[steps]].mean())


def _empty_columns(line: Pixels) -> tuple[NDArray[np.bool_], int]:
    """Which columns of a line crop hold no ink, and the height of the ink in pixels."""
    import numpy as np

    ground = np.median(np.concatenate([line[:4], line[-4:]]), axis=(0, 1))
    ink = np.abs(line - ground).max(axis=2)
    dark = ink > 0.4 * np.percentile(ink, 97)
    rows = np.flatnonzero(dark.mean(axis=1) > 0.03)
    return ~dark[6:-6].any(axis=0), int(rows[-1] - rows[0] + 1) if len(rows) else LINE_HEIGHT


def _longest_run(flags: NDArray[np.bool_]) -> int:
    return max((len(list(run)) for flag, run in itertools.groupby(flags) if flag), default=0)
