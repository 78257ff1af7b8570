"""Functions of which no tool can be made: the error names the function and says what to mend."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from hart_agent import Box, View
from hart_agent.errors import PluginError
from hart_agent.tooling.decorator import Keywords, tool


def _no_type(value) -> str:  # type: ignore[no-untyped-def]
    """Do.

    Args:
        value: x
    """
    return ""


def _object(value: object) -> str:
    """Do.

    Args:
        value: x
    """
    return ""


def _stars(*value: int) -> str:
    """Do."""
    return ""


def _words(**value: int) -> str:
    """Do."""
    return ""


def _positional(value: int, /) -> str:
    """Do.

    Args:
        value: x
    """
    return ""


def _undescribed(value: int) -> str:
    """Do."""
    return ""


def _numpy_style(value: int) -> str:
    """Do.

    Parameters
    ----------
    value : int
        A number.
    """
    return ""


def _misnamed(value: int) -> str:
    """Do.

    Args:
        value: x
        valeu: y
    """
    return ""


def _wrong_default(value: int = "three") -> str:  # type: ignore[assignment]
    """Do.

    Args:
        value: x
    """
    return ""


def _none_default(value: int = None) -> str:  # type: ignore[assignment]  # noqa: RUF013
    """Do.

    Args:
        value: x
    """
    return ""


def _two_views(value: View, other: View) -> str:
    """Do."""
    return ""


def _deep_box(value: dict[str, Box]) -> str:
    """Do.

    Args:
        value: x
    """
    return ""


def _number_keys(value: dict[int, str]) -> str:
    """Do.

    Args:
        value: x
    """
    return ""


def _unhelpful(value: Annotated[int, "at least 1"]) -> str:
    """Do.

    Args:
        value: x
    """
    return ""


def _bad_keywords(value: Annotated[int, Keywords(minimum="one")]) -> str:
    """Do.

    Args:
        value: x
    """
    return ""


def _unknown_name(value: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821
    """Do.

    Args:
        value: x
    """
    return ""


def _silent() -> str:
    return ""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_no_type, ["'value'", "'_no_type'", "no type", "value: str"]),
        (_object, ["'value'", "'_object'", "object", "expected str, int"]),
        (_stars, ["'value'", "'_stars'", "variadic"]),
        (_words, ["'value'", "'_words'", "variadic"]),
        (_positional, ["'value'", "'_positional'", "positional-only"]),
        (_undescribed, ["'value'", "'_undescribed'", "Args:"]),
        (_numpy_style, ["'value'", "'_numpy_style'", "Args:"]),
        (_misnamed, ["'valeu'", "'_misnamed'"]),
        (_wrong_default, ["'value'", "'_wrong_default'", "'three'", "integer"]),
        (_none_default, ["'value'", "'_none_default'", "None", "integer"]),
        (_two_views, ["'_two_views'", "value and other"]),
        (_deep_box, ["'value'", "'_deep_box'", "inside another type"]),
        (_number_keys, ["'value'", "'_number_keys'", "int", "expected str"]),
        (_unhelpful, ["'value'", "'at least 1'", "Keywords"]),
        (_bad_keywords, ["'value'", "'one'"]),
        (_unknown_name, ["'_unknown_name'", "Nowhere", "top of the file"]),
        (_silent, ["'_silent'", "no description"]),
        (lambda: "", ["<lambda>", "letters"]),
    ],
)
def test_what_a_model_could_not_use_is_refused_at_once_by_name(function: Any, words: list[str]) -> None:
    with pytest.raises(PluginError) as caught:
        tool(function)
    assert all(word in str(caught.value) for word in words), str(caught.value)
