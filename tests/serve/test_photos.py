"""The page's photos: tiles from the original's own pixels, limits, and the questions' events."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import agent, coded, request, serving
from variations import slow_but

from hart_agent.serve.photos import TILE, Photos

SIZES = [(1, 1), (512, 512), (513, 20), (2003, 1251), (2000, 1500), (5000, 1300), (4003, 2501)]


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def smooth(width: int, height: int) -> Image.Image:
    """Red tells x and green tells y, so smoothly that shrinking and JPEG change them little."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 100)], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("size", slow_but(SIZES[:4], SIZES))
def test_the_tiles_of_each_level_cover_the_photo_once(size: tuple[int, int]) -> None:
    image = smooth(*size)
    photos = Photos(100_000_000)
    photo = photos.open("x", png(image))
    assert photo.levels == next(n for n in range(20) if max(size) <= TILE << n) + 1
    reference = np.asarray(image).astype(int)
    for level in range(photo.levels):
        side = TILE << level
        for row in range(-(-size[1] // side)):
            for column in range(-(-size[0] // side)):
                tile = np.asarray(Image.open(io.BytesIO(photo.tile(level, column, row)))).astype(int)
                part = reference[row * side : (row + 1) * side, column * side : (column + 1) * side]
                assert tile.shape[0] == max(1, round(part.shape[0] / 2**level))
                assert tile.shape[1] == max(1, round(part.shape[1] / 2**level))
                assert np.abs(tile.mean(axis=(0, 1)) - part.mean(axis=(0, 1))).max() < 4
                assert np.abs(tile[0, 0] - part[: 2**level, : 2**level].mean(axis=(0, 1))).max() < 12
        for column, row in [(-(-size[0] // side), 0), (0, -(-size[1] // side))]:
            with pytest.raises(Exception, match="no such tile"):
                photo.tile(level, column, row)
    with pytest.raises(Exception, match="no such tile"):
        photo.tile(photo.levels, 0, 0)


def test_the_photos_used_longest_ago_go_first() -> None:
    photos = Photos(10_000, max_photos=3)
    names = [photos.keep(photos.open(str(n), png(Image.new("RGB", (10, 10)))))["id"] for n in range(3)]
    photos.get(names[0])
    names.append(photos.keep(photos.open("3", png(Image.new("RGB", (10, 10)))))["id"])
    with pytest.raises(Exception, match="no longer kept"):
        photos.get(names[1])
    assert photos.get(names[0]).image.size.width == 10
    large = photos.keep(photos.open("4", png(Image.new("RGB", (100, 100)))))["id"]  # as many pixels as are allowed
    assert photos.get(large).image.size.width == 100
    with pytest.raises(Exception, match="no longer kept"):
        photos.get(names[0])


def events(content: bytes) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in content.decode().split("\n\n") if block]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in blocks]


def upload(url: str, data: bytes) -> dict[str, Any]:
    status, _, content = request(url, "POST", "/page/photos?name=a%20photo.png", data)
    assert status == 200, content
    return json.loads(content)


def test_a_photo_is_sent_looked_at_and_asked_about() -> None:
    with serving(agent()) as url:
        kept = upload(url, png(coded()))
        assert (kept["width"], kept["height"], kept["name"]) == (1200, 900, "a photo.png")
        status, headers, content = request(url, "GET", f"/page/photos/{kept['id']}/regions/600/450/720/540")
        assert status == 200
        assert Image.open(io.BytesIO(content)).size == (640, 480)
        for path in ("regions/600/450/600/540", "regions/0/0/1201/9", "tiles/9/0/0", "tiles/0/3/0"):
            assert request(url, "GET", f"/page/photos/{kept['id']}/{path}")[0] == 404
        for _ in range(2):  # again about the same photo
            status, headers, content = request(
                url, "POST", f"/page/photos/{kept['id']}/questions", {"question": "what is on the sign?"}
            )
            assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            found = events(content)
            kinds = [kind for kind, _ in found]
            assert kinds == ["start", "call", "turn", "call", "turn", "turn", "verdict", "end"]
            assert found[1][1]["words"] == "Zoomed into the upper left"
            assert found[1][1]["views"][0]["box"] == [0, 0, 600, 450]
            end = found[-1][1]
            assert (end["answer"], end["evidence"][0]["box"]) == ("Marwick Bakery", [600, 450, 720, 540])
            assert json.loads(request(url, "GET", f"/v1/traces/{end['trace']}")[2])["answer"] == "Marwick Bakery"
        asked = f"/page/photos/{kept['id']}/questions"
        assert request(url, "POST", asked, b"{}")[0] == 400
        assert request(url, "POST", asked, {"question": 7})[0] == 400
        assert request(url, "POST", "/page/photos/other/questions", {"question": "x"})[0] == 404
        assert request(url, "POST", "/page/photos", b"no image")[0] == 400


def test_a_damaged_photo_and_a_failing_policy_are_told() -> None:
    with serving(agent([])) as url:
        whole = upload(url, png(coded()))
        content = request(url, "POST", f"/page/photos/{whole['id']}/questions", {"question": "what?"})[2]
        assert [kind for kind, _ in events(content)] == ["start", "failed"]
        half = upload(url, png(coded())[:3000])
        assert request(url, "GET", f"/page/photos/{half['id']}/tiles/0/1/1")[0] == 400
        content = request(url, "POST", f"/page/photos/{half['id']}/questions", {"question": "what?"})[2]
        assert [kind for kind, _ in events(content)] == ["failed"]


def test_the_pages_files_need_no_key_and_everything_else_does() -> None:
    with serving(agent(), key="a key") as url:
        for path in ("/", "/page.css", "/page.js", "/viewer.js"):
            status, headers, content = request(url, "GET", path)
            assert status == 200
            assert "default-src 'none'" in headers["content-security-policy"]
            assert b"http://" not in content
            assert b"https://" not in content
        assert request(url, "POST", "/page/photos", b"x")[0] == 401
        assert request(url, "GET", "/page/photos/x/tiles/0/0/0")[0] == 401
