"""Images of a batch: opened when they are needed, decoded once for all questions about them, freed, and fetched."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_runs import speak
from conftest import answer, coded_pixels
from PIL import Image
from PIL.ImageFile import ImageFile

from hart_agent import Agent, ImageError, ScriptedPolicy, SourceImage, View
from hart_agent.backends.openai.images import data_url
from hart_agent.vision.cache import ImageCache
from hart_agent.vision.geometry import Box, Frame, Size


@dataclass
class Decode:
    """One run of a decoder."""

    file: str
    in_main_thread: bool


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[Decode]:
    """Each run of one of Pillow's decoders over the pixels of a file."""
    found: list[Decode] = []
    load = ImageFile.load

    def counted(self: ImageFile) -> Any:
        if self.tile:
            name = Path(str(getattr(self.fp, "name", self.fp))).name
            found.append(Decode(name, threading.current_thread() is threading.main_thread()))
        return load(self)

    monkeypatch.setattr(ImageFile, "load", counted)
    return found


def opened(cache: ImageCache, image: Any) -> SourceImage:
    return asyncio.run(cache.open(image))


def test_questions_on_one_image_share_its_overview(tmp_path: Path, decodes: list[Decode]) -> None:
    for name in "ab":
        Image.effect_noise((640, 480), 60).convert("RGB").save(tmp_path / f"{name}.png")
    agent = Agent(ScriptedPolicy(lambda *_: answer("x")))
    items = [(number, tmp_path / f"{'ab'[number % 2]}.png", "what?") for number in range(40)]

    async def ask() -> list[Any]:
        return [result async for result in agent.abatch(items, concurrency=8)]

    results = asyncio.run(ask())
    assert sorted(decode.file for decode in decodes) == ["a.png", "b.png"]
    alone = {name: Agent(ScriptedPolicy([answer("x")])).ask(tmp_path / f"{name}.png", "what?") for name in "ab"}
    for result in results:
        same = alone["ab"[result.id % 2]]
        assert (result.trajectory.overview, result.trajectory.image) == (same.overview, same.image)


def test_what_would_take_time_is_done_in_a_thread(
    coded_path: Path, monkeypatch: pytest.MonkeyPatch, decodes: list[Decode]
) -> None:
    """The first question on an image reads and decodes it; the next one finds all it needs, and needs no thread."""
    shared = opened(ImageCache(), coded_path)
    agent = Agent(ScriptedPolicy(lambda *_: answer("x")))
    size = agent.policy.profile.budget.fit(shared.size)
    assert not shared.at_hand(size)
    asyncio.run(agent.aask(shared, "what?"))
    assert [decode.in_main_thread for decode in decodes] == [False]
    assert shared.at_hand(size)
    assert not shared.at_hand(Size(size.width // 2, size.height // 2))
    monkeypatch.setattr(asyncio, "to_thread", None)
    assert asyncio.run(agent.aask(shared, "and now?")).answer == "x"
    assert len(decodes) == 1


def test_a_shared_image_shows_the_same_as_one_of_its_own(coded_path: Path) -> None:
    cache = ImageCache()
    shared, own = opened(cache, coded_path), SourceImage(coded_path)
    assert shared is opened(cache, str(coded_path))
    assert shared.sha256() == own.sha256()
    for size in (Size(800, 600), Size(400, 300), Size(800, 600)):
        assert shared.render(own.size.box, size).tobytes() == own.render(own.size.box, size).tobytes()
    box = Box(100, 50, 164, 90)
    assert np.array_equal(np.asarray(shared.render(box, box.size)), coded_pixels(100, 50, 164, 90))


def test_many_threads_share_an_image(coded_path: Path, decodes: list[Decode]) -> None:
    shared = opened(ImageCache(), coded_path)
    with ThreadPoolExecutor(8) as pool:
        views = list(pool.map(lambda _: shared.render(shared.size.box, Size(800, 600)), range(32)))
    assert all(view is views[0] for view in views)
    assert len(decodes) == 1


def test_an_event_loop_never_waits_for_a_decoder(coded_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = opened(ImageCache(), coded_path)
    decoding, go_on = threading.Event(), threading.Event()

    def slowly(self: SourceImage, size: tuple[int, int], resampling: Image.Resampling) -> Image.Image:
        decoding.set()
        assert go_on.wait(20)
        return Image.new("RGB", size)

    monkeypatch.setattr(SourceImage, "_scaled_decode", slowly)
    with ThreadPoolExecutor(1) as pool:
        rendering = pool.submit(shared.render, shared.size.box, Size(80, 60))
        assert decoding.wait(20)
        with shared, shared:  # what an event loop does when a question begins
            go_on.set()
        assert rendering.result().size == (80, 60)


def test_pixels_are_freed_when_the_last_question_has_left(coded_path: Path, decodes: list[Decode]) -> None:
    shared = opened(ImageCache(), coded_path)
    box = Box(0, 0, 10, 10)
    with shared:
        with shared:
            shared.render(box, box.size)
        shared.render(box, box.size)
        assert len(decodes) == 1
        assert shared._pixels is not None
    assert shared._pixels is None


def test_what_is_kept_has_a_bound(tmp_path: Path) -> None:
    overview = 3 * 100 * 80
    cache = ImageCache(max_bytes=4 * (overview + 20_000))
    images = []
    for index in range(10):
        Image.new("RGB", (100, 80), (index, 0, 0)).save(tmp_path / f"{index}.png")
        images.append(opened(cache, tmp_path / f"{index}.png"))
        images[-1].render(images[-1].size.box, images[-1].size)
        opened(cache, tmp_path / "0.png")  # so that it isn't the one that was not used for the longest time
    order = [0, 9, 8, 7, 6]  # opening one that was forgotten comes last, for another is forgotten then
    kept = [opened(cache, tmp_path / f"{index}.png") is images[index] for index in order]
    assert kept == [True, True, True, True, False]
    images[3].render(images[3].size.box, Size(50, 40))  # forgotten ones still work
    tiny = ImageCache(max_bytes=1)
    assert opened(tiny, tmp_path / "1.png").size == Size(100, 80)


def test_no_file_stays_open(tmp_path: Path) -> None:
    for index in range(100):
        Image.new("RGB", (40, 30)).save(tmp_path / f"{index}.jpg")
    before = len(list(Path("/proc/self/fd").iterdir()))
    agent = Agent(ScriptedPolicy(speak))
    most = 0

    async def ask() -> None:
        nonlocal most
        items = [(index, tmp_path / f"{index}.jpg", f"what is number {index}?") for index in range(100)]
        async for result in agent.abatch(items, concurrency=10):
            assert result.error is None
            most = max(most, len(list(Path("/proc/self/fd").iterdir())))

    asyncio.run(ask())
    assert most <= before + 20  # the event loop's own, and those being read


def test_hashes_and_encodings_are_those_of_the_pixels_also_where_images_come_and_go() -> None:
    """They are kept by identity, which the next image may have after the last one is gone."""
    frame = Frame(Box(0, 0, 8, 6), Size(8, 6))
    for number in range(300):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        views = [View("overview", "overview", image, frame) for image in [Image.fromarray(pixels)] * 2]
        for view in views:
            assert view.sha256 == hashlib.sha256(pixels.tobytes()).hexdigest()
            sent = Image.open(io.BytesIO(base64.b64decode(data_url(view, 0).split(",")[1])))
            assert np.array_equal(np.asarray(sent), pixels)
        assert data_url(views[0], 0) is data_url(views[1], 0)


def test_images_too_large_are_refused_by_the_limit_given(coded_path: Path) -> None:
    with pytest.raises(ImageError, match="over the limit of 1"):
        opened(ImageCache(max_pixels=1_000_000), coded_path)


@pytest.mark.parametrize(("ending", "runs"), [("png", 1), ("tif", 1), ("webp", 1), ("bmp", 1), ("jpg", 3)])
def test_a_file_is_decoded_once_and_a_jpeg_once_more_for_each_overview(
    tmp_path: Path, decodes: list[Decode], ending: str, runs: int
) -> None:
    Image.fromarray(coded_pixels(0, 0, 1600, 1200)).save(tmp_path / f"photo.{ending}")
    with SourceImage(tmp_path / f"photo.{ending}") as source:
        for size in (Size(400, 300), source.size, Size(400, 300)):
            source.render(source.size.box, size)
        for number in range(8):
            box = Box(number, number, number + 100, number + 80)
            source.render(box, Size(200, 160))
    assert len(decodes) == runs  # a JPEG's overview was made twice, for another size came between


def test_a_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (100, 80)).save(path)
    cache = ImageCache()
    first = opened(cache, path)
    Image.new("RGB", (50, 40)).save(path)
    second = opened(cache, path)
    assert (first.size, second.size) == (Size(100, 80), Size(50, 40))
    with pytest.raises(ImageError, match="was changed while it was in use"):
        first.render(first.size.box, first.size)
