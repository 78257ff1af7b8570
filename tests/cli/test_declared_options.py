"""Options from the fields of dataclasses: each dataclass is given the values of its own, and of no other's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hart_agent.backends.options import option
from hart_agent.cli.options import with_options


@dataclass(frozen=True)
class Inner:
    weight: float = option("A weight.", 0.5)
    turns: int = 2
    """No option, and named as one of the command's."""


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    mode: str = "set from Python"
    """No option, either."""
    steps: int = option("Steps.", 3)


def called(command: Any, *arguments: str) -> None:
    app = typer.Typer()
    app.command()(with_options(command))
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_a_field_that_is_no_option_is_not_set_by_an_option_of_its_name() -> None:
    found: list[object] = []

    def command(settings: Outer, mode: str | None = option("A mode."), turns: int = option("Turns.", 6)) -> None:
        found.extend((settings, mode, turns))

    called(command, "--mode", "direct", "--turns", "9", "--weight", "0.25", "--steps", "4")
    assert found == [Outer(Inner(0.25, 2), "set from Python", 4), "direct", 9]


def test_what_is_not_given_has_its_default() -> None:
    found: list[object] = []

    def command(settings: Outer, mode: str | None = option("A mode.")) -> None:
        found.extend((settings, mode))

    called(command)
    assert found == [Outer(), None]


def test_two_options_of_one_name_are_refused_where_the_command_is_made() -> None:
    def command(settings: Outer, steps: int = option("Other steps.", 1)) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="duplicate parameter name: 'steps'"):
        with_options(command)
