"""HEIC, AVIF, pages, URLs, data URLs and standard input: every entrance shows the same pixels and the same boxes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pi_heif
import pytest
import witness
from in_process import hart_agent
from PIL import Image
from serving import ask as ask_server
from serving import body, serving, user
from test_download import Site, web
from witness import Witness, digest

from hart_agent import Agent
from hart_agent.mcp_server import PROFILE, Workshop
from hart_agent.tooling.discovery import all_tools
from hart_agent.vision.folders import Folders

HEIC = Path(__file__).parent / "data" / "two.heic"
BOX = [16, 12, 48, 36]
"""The middle of 64 x 48 pixels."""
POLICY = ("--backend", f"{witness.__file__}:Witness", "--no-verify", "-q")
SEEN = tuple[str, list[int]]
"""The hash of the pixels that the policy saw, and the box of the evidence in original pixels."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("photos")
    (made / "two.heic").write_bytes(HEIC.read_bytes())
    noise = [Image.effect_noise((64, 48), 20 + 30 * number).convert("RGB") for number in range(3)]
    noise[0].save(made / "photo.avif", quality=80)
    noise[0].save(made / "scan.tif", save_all=True, append_images=noise[1:])
    return made


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    with web({f"/{path.name}": (200, path.read_bytes(), None) for path in folder.iterdir()}) as url:
        yield url


def data_url(path: Path) -> str:
    return f"data:;base64,{base64.b64encode(path.read_bytes()).decode()}"


def seen(image: Image.Image) -> SEEN:
    """What the policy sees of pixels that another reader has decoded."""
    result = Agent(Witness(), verify=False).ask(image.convert("RGB"), "what?")
    return str(result.answer), list(result.evidence[0].box.as_tuple())


@pytest.fixture(scope="module")
def right(folder: Path) -> dict[str, SEEN]:
    """By file and page; read without the code under test."""
    heic = pi_heif.open_heif(HEIC)
    pages = {f"two.heic#page={number}": heic[number - 1].to_pillow() for number in (1, 2)}
    with Image.open(folder / "photo.avif") as avif:
        pages["photo.avif#page=1"] = avif.convert("RGB")
    with Image.open(folder / "scan.tif") as scan:
        for number in (1, 3):
            scan.seek(number - 1)
            pages[f"scan.tif#page={number}"] = scan.convert("RGB")
    found = {name: seen(image) for name, image in pages.items()}
    assert len(set(digests := [answer for answer, _ in found.values()])) == len(digests)
    assert all(box == BOX for _, box in found.values())
    return found


Entrance = Callable[[Path, dict[str, str]], dict[str, SEEN]]
"""Asks about images by their names, and tells what was seen of each."""


def by_ask(folder: Path, images: dict[str, str]) -> dict[str, SEEN]:
    found = {}
    for key, name in images.items():
        done = hart_agent("ask", name, "what?", "--json", "--allow-download", *POLICY)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        found[key] = result["answer"], result["evidence"][0]["box"]
    return found


def lines(folder: Path, images: dict[str, str], **more: str) -> Path:
    rows = [{"id": key, "image": name, "question": "what?", **more} for key, name in images.items()]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "questions.jsonl"


def by_batch(folder: Path, images: dict[str, str]) -> dict[str, SEEN]:
    done = hart_agent("batch", lines(folder, images), folder / "out.jsonl", "--allow-download", *POLICY)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    return {result["id"]: (result["answer"], result["evidence"][0]["box"]) for result in results}


def by_evaluation(folder: Path, images: dict[str, str]) -> dict[str, SEEN]:
    file, out = lines(folder, images, answer="x"), folder / "run"
    done = hart_agent("eval", "jsonl", file, "--out", out, "--traces", "--allow-download", *POLICY)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    return {record["id"]: (record["answer"], record["boxes"][0]) for record in records}


def by_server(folder: Path, images: dict[str, str]) -> dict[str, SEEN]:
    found = {}
    agent = Agent(Witness(), verify=False)
    with serving(agent, root=[folder], allow_download=True) as url:
        for key, name in images.items():
            status, answer = ask_server(url, body(messages=[user("what?", name)]))
            assert status == 200, answer
            found[key] = answer["choices"][0]["message"]["content"], answer["hart"]["evidence"][0]["box"]
    return found


def files(folder: Path, site: Site, right: dict[str, SEEN]) -> dict[str, str]:
    return {f"file {page}": str(folder / page) for page in right}


def urls(folder: Path, site: Site, right: dict[str, SEEN]) -> dict[str, str]:
    named = {}
    for page in right:
        name, _, part = page.partition("#")
        named[f"file: {page}"] = f"{(folder / name).as_uri()}#{part}"
        named[f"http: {page}"] = f"{site}/{page}"
        named[f"data: {page}"] = f"{data_url(folder / name)}#{part}"
    return named


@pytest.mark.parametrize("entrance", [by_ask, by_batch, by_evaluation, by_server], ids=lambda each: each.__name__)
def test_every_entrance_shows_the_same_pixels_and_boxes(
    entrance: Entrance, folder: Path, site: Site, right: dict[str, SEEN]
) -> None:
    images = urls(folder, site, right)
    if entrance is not by_server:  # whose clients name no paths of its machine, but file URLs
        images |= files(folder, site, right)
    assert entrance(folder, images) == {key: right[key.split(" ")[1]] for key in images}


def test_standard_input_shows_the_same(folder: Path, right: dict[str, SEEN]) -> None:
    for page, expected in right.items():
        name, _, number = page.partition("#page=")
        data = (folder / name).read_bytes()
        done = hart_agent("ask", "-", "what?", "--page", number, "--json", *POLICY, stdin=data)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert (result["answer"], result["evidence"][0]["box"]) == expected


async def test_mcp_shows_the_same(folder: Path, right: dict[str, SEEN]) -> None:
    """Files of its folders, by path and as URLs; it fetches nothing, and its input is the protocol's."""
    workshop = Workshop(Folders([folder]), all_tools())
    assert PROFILE.space == Witness().profile.space
    for page, (answer, _) in right.items():
        name, _, number = page.partition("#")
        for image in (page, f"{(folder / name).as_uri()}#{number}"):
            arguments = {"image_path": image, "bbox_2d": witness.MIDDLE, "label": "middle"}
            text, (view,), failed = await workshop.call("crop", arguments)
            assert not failed, text
            assert digest(view.image) == answer
            assert list(view.frame.box.as_tuple()) == BOX
