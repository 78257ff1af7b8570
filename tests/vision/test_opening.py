"""The one door: every way to name an image leads to the same pixels, and what can't be opened says why."""

from __future__ import annotations

import base64
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_download import web

from hart_agent import Agent, ScriptedPolicy
from hart_agent.errors import ImageError
from hart_agent.vision.opening import open_image, seen_from
from hart_agent.vision.source import SourceImage


def seen(image: Any, **options: Any) -> np.ndarray:
    source = open_image(image, **options)
    return np.asarray(source.render(source.size.box, source.size))


@pytest.fixture
def photo(tmp_path: Path, small: Image.Image) -> Path:
    path = tmp_path / "my photo.png"
    small.save(path)
    return path


def test_all_names_of_a_file_lead_to_it(
    photo: Path, small: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    data = base64.b64encode(photo.read_bytes()).decode()
    names = [photo, str(photo), photo.name, f"~/{photo.name}", photo.as_uri(), f"file://localhost{photo.as_uri()[7:]}"]
    for name in [*names, f"data:image/png;base64,{data}", f"DATA:;base64,{data[:20]}\n{data[20:]}", f"{photo}#page=1"]:
        assert np.array_equal(seen(name), small), name
    assert np.array_equal(seen("-", stdin=io.BytesIO(photo.read_bytes())), small)
    with web({"/a%20b.png": (200, photo.read_bytes(), None)}) as url:
        assert np.array_equal(seen(f"{url}/a%20b.png", allow_download=True), small)


def test_a_file_that_is_there_goes_before_any_other_meaning(
    tmp_path: Path, small: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photo#page=2", "~photo", "-"):
        small.save(tmp_path / name, "PNG")
        assert np.array_equal(seen(name), small)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("https://example.org/a.png", "downloads are not allowed. Allow them: --allow-download"),
        ("https://user:secret@example.org/a.png?token=hidden", r"^https://example.org/a.png\?token=\*\*\* is a URL"),
        ("file://elsewhere/a.png", r"on another machine \(elsewhere\)"),
        ("data:image/png;base64", "without its comma"),
        ("data:image/png;base64,###", "base64 is damaged"),
        ("data:text/plain,hello", "^data URL is not an image"),
        ("~nobody-of-that-name/a.png", "no such file"),
        ("missing.png#page=2", "missing.png: no such file"),
        ("a\0b", "no such file"),
        ("", "is a folder"),
    ],
)
def test_what_can_not_be_opened_says_why(name: str, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        open_image(name)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_pages_by_name_and_by_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pages = [Image.new("RGB", (20, 10), (number, 0, 0)) for number in (1, 2, 3)]
    path = tmp_path / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    caplog.set_level(logging.WARNING, "hart_agent")
    assert seen(path)[0, 0, 0] == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} holds 3 frames or pages; the first one is shown. Choose another with --page, or #page=2 behind its "
        "name."
    ]
    caplog.clear()
    for image in (path, path.as_uri()):
        assert seen(image, page=2)[0, 0, 0] == 2
        assert seen(f"{image}#page=3")[0, 0, 0] == 3
    assert not caplog.records
    assert open_image(path, page=2).name == f"{path}#page=2"


def test_what_a_file_of_a_folder_means(tmp_path: Path) -> None:
    for name in ("http://a/b", "data:,x", "file:///a", "~/a.png"):
        assert seen_from(tmp_path, name) == name
    (tmp_path / "~a.png").touch()
    for name in ("a.png", "~a.png", "b/../a.png"):
        assert seen_from(tmp_path, name) == tmp_path / name
    assert seen_from(tmp_path, "/b.png") == Path("/b.png")


def test_an_agent_takes_what_the_door_takes(photo: Path) -> None:
    run = Agent(ScriptedPolicy(["<answer>x</answer>"])).ask(photo.as_uri(), "what?")
    assert run.image.sha256 == SourceImage(photo).sha256()
