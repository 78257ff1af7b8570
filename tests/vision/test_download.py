"""Downloads end in time and in size, go only where they may, and give nothing away."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from loopback import drip_bytes
from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision.cache import ImageCache, SharedImage
from hart_agent.vision.download import download, fetch, is_private
from hart_agent.vision.geometry import Size
from hart_agent.vision.urls import public_url

Page = tuple[int, bytes, int | None] | Callable[[BaseHTTPRequestHandler], None]
"""Status, body, and a length other than the true one, if there is one; or what answers by itself."""


class Site(str):
    """The URL of a server, and what it was asked."""

    asked: list[tuple[str, str | None]]


@contextmanager
def web(pages: dict[str, Page], host: str = "127.0.0.1") -> Iterator[Site]:
    """Serves pages by path; on any other path it says nothing."""
    asked: list[tuple[str, str | None]] = []
    over = threading.Event()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("authorization")))
            page = pages.get(self.path)
            if page is None:
                over.wait(60)
            elif callable(page):
                page(self)
            else:
                status, data, length = page
                self.send_response(status)
                self.send_header("content-length", str(len(data) if length is None else length))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None:
            """Clients go away in the middle of these tests."""

    server = Server((host, 0), Pages)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        site = Site(f"http://{host}:{server.server_port}")
        site.asked = asked
        yield site
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 60).save(buffer, "PNG")
    return buffer.getvalue()


def redirect(target: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Sends a client elsewhere."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("location", target)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return answer


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, for up to ten seconds."""
    drip_bytes(handler, 200, 0.05)


def dripping_header(handler: BaseHTTPRequestHandler) -> None:
    """The same, before the answer has begun."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nx-slow: ")
    for _ in range(200):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body without an end, of which no length is announced."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(bytes(100_000))


def opened(cache: ImageCache, image: Any) -> Any:
    return asyncio.run(cache.open(image))


def test_images_by_url() -> None:
    picture = png(60, 40)
    pages: dict[str, Page] = {
        "/a.png": (200, picture, None), "/gone.png": (404, b"", None), "/page": (200, b"<html>", None),
        "/cut.png": (200, picture[:200], len(picture)),
    }  # fmt: skip
    with web(pages) as url:
        cache = ImageCache(allow_download=True)
        source = opened(cache, f"{url}/a.png")
        assert (source.name, source.size) == (f"{url}/a.png", Size(60, 40))
        assert opened(cache, f"{url}/a.png") is source
        assert isinstance(source, SharedImage)
        for path, said in (("/gone.png", "HTTP 404"), ("/page", "not an image"), ("/cut.png", "broke off")):
            with pytest.raises(ImageError, match=said):
                opened(cache, url + path)
        with pytest.raises(ImageError, match="more than 0 MB"):
            asyncio.run(download(f"{url}/a.png", max_bytes=100))
        with pytest.raises(ImageError, match="not allowed"):
            opened(ImageCache(), f"{url}/a.png")
    for address in ("http://127.0.0.1:1/a.png", "http://", "http://[bad"):
        with pytest.raises(ImageError, match="can't be downloaded"):
            opened(cache, address)


def test_a_download_that_hangs_ends_with_its_time_or_at_once_with_the_run() -> None:
    async def give_up(url: str) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await download(url)

    with web({}) as url:
        with pytest.raises(ImageError, match="can't be downloaded"):
            asyncio.run(download(f"{url}/silence", timeout=0.2))
        started = time.monotonic()
        asyncio.run(give_up(f"{url}/silence"))
        assert time.monotonic() - started < 10  # the server would say nothing for a minute


@pytest.mark.parametrize("slow", [dripping, dripping_header])
def test_a_server_that_drips_is_left_when_the_time_is_over(slow: Callable[[BaseHTTPRequestHandler], None]) -> None:
    with web({"/a.png": slow}) as url:
        started = time.monotonic()
        with pytest.raises(ImageError, match=r"not there within 0\.3 seconds"):
            fetch(f"{url}/a.png", timeout=0.3)
        assert time.monotonic() - started < 5  # it drips for ten


def test_a_body_without_an_end_is_refused() -> None:
    with web({"/a.png": endless}) as url, pytest.raises(ImageError, match="more than 1 MB"):
        fetch(f"{url}/a.png", max_bytes=1_000_000)


def test_questions_on_one_url_at_once_download_it_once() -> None:
    picture = png(60, 40)

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.2)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(picture)

    async def ask(url: str) -> None:
        cache = ImageCache(allow_download=True)
        impatient = asyncio.create_task(cache.open(url))
        others = [asyncio.create_task(cache.open(url)) for _ in range(16)]
        await asyncio.sleep(0.05)
        impatient.cancel()  # that costs the others nothing
        images = await asyncio.gather(*others)
        assert all(image is images[0] for image in images)
        assert impatient.cancelled()

    with web({"/a.png": slowly}) as url:
        asyncio.run(ask(f"{url}/a.png"))
        assert len(url.asked) == 1


def test_a_download_that_failed_is_tried_again_by_the_next_question() -> None:
    pages: dict[str, Page] = {"/a.png": (503, b"", None)}
    with web(pages) as url:
        cache = ImageCache(allow_download=True)
        with pytest.raises(ImageError, match="HTTP 503"):
            opened(cache, f"{url}/a.png")
        pages["/a.png"] = (200, png(60, 40), None)
        assert opened(cache, f"{url}/a.png").size == Size(60, 40)


def test_redirects_within_http_are_followed_but_not_for_ever() -> None:
    pages: dict[str, Page] = {"/a.png": (200, b"data", None), "/b": redirect("/a.png"), "/ring": redirect("/ring")}
    with web(pages) as url:
        assert fetch(f"{url}/b") == b"data"
        with pytest.raises(ImageError, match="a redirect that is not followed"):
            fetch(f"{url}/ring")
        assert len(url.asked) < 20


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a.png", "file:///etc/passwd", "gopher://x/", "data:,x"])
def test_redirects_to_other_schemes_are_not_followed(target: str) -> None:
    with web({"/a": redirect(target)}) as url, pytest.raises(ImageError, match="redirect"):
        fetch(f"{url}/a")


def test_a_redirect_leads_to_a_private_address_only_from_another() -> None:
    """127.0.0.2 stands in for a host of the public internet."""
    with web({"/secret": (200, b"secret", None)}) as inside:
        pages: dict[str, Page] = {
            "/a": redirect(f"{inside}/secret"),
            "/own": (200, b"own", None),
            "/b": redirect("/own"),
        }
        with web(pages, "127.0.0.2") as outside:
            for private in (is_private, lambda address: address == "127.0.0.1"):
                assert fetch(f"{outside}/b", private=private) == b"own"
            assert fetch(f"{outside}/a") == b"secret"  # from one private address to another
            with pytest.raises(ImageError, match=r"a redirect to 127\.0\.0\.1, a private address"):
                fetch(f"{outside}/a", private=lambda address: address == "127.0.0.1")
        assert len(inside.asked) == 1


@pytest.mark.parametrize(
    ("address", "private"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("192.168.0.1", True), ("169.254.169.254", True), ("::1", True),
     ("fe80::1%eth0", True), ("::ffff:10.0.0.1", True), ("0.0.0.0", True), ("8.8.8.8", False), ("2606:4700::1", False)],
)  # fmt: skip
def test_private_addresses(address: str, private: bool) -> None:
    assert is_private(address) is private


def test_a_password_goes_to_its_host_and_into_no_message() -> None:
    with web({"/a": (200, b"data", None)}) as other:
        pages: dict[str, Page] = {"/a": (200, b"data", None), "/b": redirect(f"{other}/a"), "/c": (403, b"", None)}
        with web(pages) as site:
            private = site.replace("http://", "http://us%40er:pass%20word@")
            header = f"Basic {base64.b64encode(b'us@er:pass word').decode()}"
            assert fetch(f"{private}/a") == fetch(f"{private}/b") == b"data"
            assert site.asked == [("/a", header), ("/b", header)]
            assert other.asked == [("/a", None)]
            for path in ("/c?api_key=hidden", "/d"):
                with pytest.raises(ImageError) as caught:
                    fetch(private + path, timeout=0.3)
                assert not any(word in str(caught.value) for word in ("pass", "us%40er", "us@er", "hidden"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.b/c.png?size=2&name=x%20y", "https://a.b/c.png?size=2&name=x%20y"),
        ("https://u:p@a.b:8443/c.png", "https://a.b:8443/c.png"),
        ("https://a.b/c?X-Amz-Signature=abc&w=1", "https://a.b/c?X-Amz-Signature=***&w=1"),
        ("https://a.b/c?sig=abc", "https://a.b/c?sig=***"),
        ("http://u:p@[bad/c", "http://"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert public_url(url) == shown
