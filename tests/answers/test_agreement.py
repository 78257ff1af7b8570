"""Pairs of answers that say the same, and pairs that don't; the table was written before the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from hart_agent.answers import agree

PAIRS = [
    tuple(cell.replace("⏎", "\n") for cell in line.split("\t"))
    for line in (Path(__file__).parent / "pairs.tsv").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(("expected", "first", "second"), PAIRS)
def test_pairs_agree_or_differ_in_both_orders(expected: str, first: str, second: str) -> None:
    assert agree(first, second) == agree(second, first) == (expected == "agree")
