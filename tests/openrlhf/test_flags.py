"""OpenRLHF's own parser knows every flag that we name, and we know every flag of its parser."""

from __future__ import annotations

import argparse
import runpy
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from rl.config import AlgorithmConfig, TrainSettings
from rl.openrlhf.flags import KNOWN, command_line, flags_of

pytestmark = pytest.mark.openrlhf


@pytest.fixture(scope="module")
def parser() -> argparse.ArgumentParser:
    """The parser that OpenRLHF makes when it is run."""
    found = []

    def stop(self: argparse.ArgumentParser, *_: object) -> None:
        found.append(self)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(KeyboardInterrupt):
            runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__")
    return found[0]


def actions(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The flags with a dot; others can't be passed on."""
    named = {name.removeprefix("--"): action for action in parser._actions for name in action.option_strings}
    return {name: action for name, action in named.items() if "." in name}


def kind_of(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "switch"
    if action.nargs is not None:
        return "list"
    return {int: "whole number", float: "number", str: "text"}[action.type]  # type: ignore[index]


def test_each_flag_is_known_and_of_its_kind(parser: argparse.ArgumentParser) -> None:
    theirs = actions(parser)
    assert {name: kind_of(theirs[name]) for name in KNOWN["allowed"]} == KNOWN["allowed"]
    closed = {**KNOWN["settings"], **KNOWN["fixed"], **KNOWN["refused"]}
    for pattern in closed:
        assert [name for name in theirs if fnmatchcase(name, pattern)], pattern
    for name in theirs:
        refused = any(fnmatchcase(name, pattern) for pattern in closed)
        assert (name in KNOWN["allowed"]) != refused, name
    assert KNOWN["defaults"].keys() | KNOWN["default_settings"].keys() <= KNOWN["allowed"].keys()
    assert KNOWN["sft"].keys() <= KNOWN["allowed"].keys()
    assert {KNOWN["allowed"][name] for name in KNOWN["counts"]} == {"whole number"}
    assert {KNOWN["allowed"][name] for name in KNOWN["shares"]} == {"number"}


def test_its_parser_takes_all_of_them_at_once(parser: argparse.ArgumentParser) -> None:
    theirs = actions(parser)
    values = {"switch": True, "whole number": 1, "number": 0.5, "list": [0.5, 0.5], "text": "x"}
    passed_on = {
        name: theirs[name].choices[0] if theirs[name].choices else values[kind]  # type: ignore[index]
        for name, kind in KNOWN["allowed"].items()
    }
    settings = TrainSettings(model="m", algorithm=AlgorithmConfig(clip=0.2), micro_batch=1)
    flags = flags_of(Path("run"), settings, passed_on)
    read = vars(parser.parse_args(command_line(Path("run"), flags)[4:]))
    assert {name: read[name] for name in KNOWN["allowed"] if KNOWN["allowed"][name] == "switch"} == {
        name: True for name, kind in KNOWN["allowed"].items() if kind == "switch"
    }
    assert (read["train.batch_size"], read["algo.kl.init_coef"], read["ds.grad_accum_dtype"]) == (64, 0.02, "x")
