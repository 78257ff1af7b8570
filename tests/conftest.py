"""What the tests of the core share: an image whose pixels tell where they are, and ways to write replies."""

from __future__ import annotations

import compileall
import gc
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.testing
from hypothesis import HealthCheck, settings
from kept_runs import keeping
from PIL import Image

from hart_agent import cli
from hart_agent.cli import memory
from hart_agent.ocr import models

for profile, examples in {"default": 25, "thorough": 1000}.items():
    settings.register_profile(
        profile, max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
settings.load_profile("default")

# They need an environment of their own, which tests/openrlhf/run makes.
try:
    distribution("openrlhf")
except PackageNotFoundError:
    collect_ignore = ["openrlhf"]


def pytest_configure(config: pytest.Config) -> None:
    """As pip does with what it installs: some hundred tests start commands in processes of their own."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parents[1] / "hart_agent", quiet=2, workers=0)  # one for each core


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """What was imported stays: garbage is collected once, and nothing of it is gone through again during the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[pytest.CollectReport]:
    return (yield from _nothing_missing())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[pytest.TestReport]:
    return (yield from _nothing_missing())


def _nothing_missing() -> Iterator[Any]:
    """Under CI=true, a test that is skipped for want of a package has failed: the extra `test` must bring it."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        *_, reason = report.longrepr
        if "not installed" in reason or "could not import" in reason:
            report.outcome, report.longrepr = "failed", f"{reason}; add it to the extra `test`"
    return report


def coded_pixels(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """The pixels of the coded image in a region: red x % 256, green y % 256, blue both of their upper digits."""
    pixels = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
    x, y = np.arange(x0, x1), np.arange(y0, y1)[:, None]
    pixels[..., 0], pixels[..., 1] = x % 256, y % 256
    pixels[..., 2] = x // 256 * 16 % 256 + y // 256
    return pixels


def tool_call(tool: str, **arguments: Any) -> str:
    """A reply that calls a tool."""
    return f"<tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>"


def answer(text: str) -> str:
    """A reply that answers."""
    return f"<answer>{text}</answer>"


@pytest.fixture(scope="session")
def coded_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of 3200 x 2400 pixels; `coded_pixels` says what they are."""
    path = tmp_path_factory.mktemp("images") / "coded.png"
    Image.fromarray(coded_pixels(0, 0, 3200, 2400)).save(path, compress_level=1)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium (`browser.Browser`), one for all tests: starting it takes longer than most pages."""
    from browser import start_browser  # which some of the environments of other runs lack

    started = start_browser()
    yield started
    started.driver.quit()


@pytest.fixture
def small() -> Image.Image:
    """A random image of 64 x 48 pixels."""
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (48, 64, 3), dtype=np.uint8))


@pytest.fixture(autouse=True, scope="session")
def what_all_tests_change(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """In one fixture, for each that all use costs every test a little."""
    with pytest.MonkeyPatch.context() as patch:
        # As in a process of its own: typer's runner builds all commands anew, 70 ms, each time that one is called.
        patch.setattr(typer.testing, "_get_command", cache(typer.main.get_command))
        # A command ends its process whatever its threads do; here that is the tests'.
        patch.setattr(cli, "end_despite_threads", sys.exit)
        # It also gives back the memory that it frees; here the next test asks for it anew, page by page.
        patch.setattr(memory, "_LARGE", 1 << 25)
        # What the reader's models say takes most of the time of tests that ask it.
        patch.setattr(models, "load", keeping(models.load))
        # Neither the user's file of settings nor their variables reach a test.
        for name in [name for name in os.environ if name.startswith("HART_AGENT_")]:
            patch.delenv(name)
        patch.setenv("HART_AGENT_CONFIG", str(tmp_path_factory.mktemp("settings") / "config.toml"))
        yield
