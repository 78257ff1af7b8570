"""Variations of one test: some in the default run, the others in the slow one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slow_but(kept: Collection[Any], values: Iterable[Any]) -> list[Any]:
    """The values as parameters, marked slow but for those that are kept in the default run."""
    return [value if value in kept else pytest.param(value, marks=pytest.mark.slow) for value in values]
