"""The images of requests: those that are asked about at once are opened, downloaded and decoded once."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFile
from serving import PROFILE, ask, body, coded, serving, user

from hart_agent import Agent, Reply
from hart_agent.serve.images import RequestedImages
from hart_agent.serve.settings import ServeSettings
from hart_agent.vision.geometry import Size


@contextmanager
def hosting(data: bytes) -> Iterator[tuple[str, list[str]]]:
    """A web server with one file. Yields its URL, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/photo.png", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


async def test_a_url_is_downloaded_once_for_all_who_ask_at_once_and_again_later() -> None:
    with hosting(png(coded(60, 40))) as (url, asked):
        images = RequestedImages(ServeSettings(allow_download=True))
        opened = await asyncio.gather(*(images.open(url) for _ in range(16)))
        assert all(image is opened[0] for image in opened)
        assert await images.open(url) is opened[0]  # it is still in use
        assert len(asked) == 1
        del opened
        await asyncio.sleep(0)  # the task held on to what it had awaited
        gc.collect()
        assert (await images.open(url)).size == Size(60, 40)
        assert len(asked) == 2


async def test_a_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png(coded(60, 40)))
    images = RequestedImages(ServeSettings(root=[tmp_path]))
    before = await images.open(f"file://{path}")
    assert await images.open(f"file://{path}#page=1") is not before
    assert await images.open(f"file://{path}") is before
    path.unlink()
    path.write_bytes(png(coded(90, 40)))
    after = await images.open(f"file://{path}")
    assert after is not before
    assert after.size == Size(90, 40)
    assert await images.open(f"file://{path}") is after


def test_many_requests_on_one_file_decode_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png(coded()))
    loads: list[object] = []
    load = ImageFile.ImageFile.load

    def counted(image: ImageFile.ImageFile) -> Any:
        if image.tile and image.size == coded().size:
            loads.append(image)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)

    class Together:
        """Gives up as soon as all have seen the overview."""

        name, profile = "together", PROFILE
        present = 0

        async def reply(self, messages: Any, tools: Any) -> Reply:
            self.present += 1
            while self.present < 8:
                await asyncio.sleep(0.005)
            return Reply("<abstain>nothing there</abstain>")

    question = body(messages=[user("what?", f"file://{path}")])
    with serving(Agent(Together()), concurrency=8, root=[tmp_path]) as url:
        answers: list[Any] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(url, question))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [status for status, _ in answers] == [200] * 8
    assert len(loads) == 1
