"""Every command takes an image by every name, and shows the same pixels."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_download import png, web
from typer.testing import CliRunner

from hart_agent.cli import app
from hart_agent.errors import DatasetError, ImageError
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.datasets.jsonl import read_jsonl_items
from hart_agent.mcp_server import Workshop
from hart_agent.tooling.discovery import all_tools
from hart_agent.vision.folders import Folders
from hart_agent.vision.geometry import Size

HEIC = Path(__file__).parent / "data" / "two.heic"


def run(*arguments: str, stdin: bytes | None = None) -> Any:
    return CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=True)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A TIFF of three pages, of red 50, 100 and 150."""
    images = [Image.new("RGB", (64, 48), (50 * number, 0, 0)) for number in (1, 2, 3)]
    images[0].save(tmp_path / "scan.tif", save_all=True, append_images=images[1:])
    return tmp_path / "scan.tif"


def colour(name: str, *options: str, stdin: bytes | None = None) -> str:
    """The colour that `tools run colour` sees in an image."""
    result = run("tools", "run", "colour", name, '{"bbox_2d": [0, 0, 40, 40]}', *options, stdin=stdin)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return str(result.stdout.split()[1])


def test_a_tool_sees_the_same_image_by_every_name(pages: Path) -> None:
    data = pages.read_bytes()
    encoded = base64.b64encode(data).decode()
    for name in (str(pages), pages.as_uri(), f"data:image/tiff;base64,{encoded}"):
        assert colour(name) == "#320000"
        assert colour(name, "--page", "2") == "#640000"
    assert colour(f"{pages}#page=3") == "#960000"
    assert colour("-", "--page", "3", stdin=data) == "#960000"
    with web({"/scan.tif": (200, data, None)}) as url:
        assert colour(f"{url}/scan.tif", "--allow-download", "--page", "2") == "#640000"
        refused = run("tools", "run", "colour", f"{url}/scan.tif", '{"bbox_2d": [0, 0, 40, 40]}')
        assert isinstance(refused.exception, ImageError)
        assert str(refused.exception).startswith(f"{url}/scan.tif is a URL")  # no slash is lost
        assert len(url.asked) == 1


def test_heic_and_avif(tmp_path: Path) -> None:
    assert colour(str(HEIC), "--page", "2").endswith(("c7", "c8", "c9"))
    Image.new("RGB", (64, 48), (50, 0, 0)).save(tmp_path / "photo.avif", quality=100)
    assert colour(str(tmp_path / "photo.avif"))[1:3] in ("31", "32", "33")


def test_ask_keeps_the_page_in_its_trace_and_view_finds_it_again(pages: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    asked = run("ask", str(pages), "what is there?", "--page", "2", "--json", "-q", "--trace", str(trace))
    assert asked.exit_code in (0, 3), asked.output
    assert json.loads(trace.read_text())["image"]["path"] == f"{pages}#page=2"
    for command in ("view", "replay"):
        done = run(command, str(trace))
        assert done.exit_code == 0, done.output + repr(done.exception)


def test_a_batch_takes_pages_urls_and_names_with_brackets(pages: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (64, 48))
    picture.save(tmp_path / "photo[1].png")
    picture.save(tmp_path / "photo1.png")
    encoded = base64.b64encode((tmp_path / "photo1.png").read_bytes()).decode()
    with web({"/a.png": (200, (tmp_path / "photo1.png").read_bytes(), None)}) as url:
        images = ["scan.tif#page=2", pages.as_uri(), f"data:;base64,{encoded}", f"{url}/a.png", "photo[1].png"]
        lines = [{"image": image, "question": "what?", "id": str(number)} for number, image in enumerate(images)]
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = run("batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "--allow-download", "-q")
    assert done.exit_code == 0, done.output + repr(done.exception)
    results = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(result["id"] for result in results) == ["0", "1", "2", "3", "4"]
    assert not any("error" in result for result in results)

    done = run("batch", str(tmp_path / "photo[1].png"), str(tmp_path / "one.jsonl"), "--question", "what?", "-q")
    assert done.exit_code == 0, done.output + repr(done.exception)
    (result,) = (json.loads(line) for line in (tmp_path / "one.jsonl").read_text().splitlines())
    assert result["image"]["path"] == str(tmp_path / "photo[1].png")


async def test_mcp_takes_pages_and_file_urls_inside_its_folders_only(pages: Path, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    inside = pages.rename(tmp_path / "inside" / "scan.tif")
    Image.new("RGB", (64, 48)).save(tmp_path / "outside.png")
    workshop = Workshop(Folders([tmp_path / "inside"]), all_tools())
    for name, red in (("scan.tif", 50), ("scan.tif#page=2", 100), (f"{inside.as_uri()}#page=3", 150)):
        text, (view,), failed = await workshop.call("overview", {"image_path": name})
        assert not failed, text
        assert view.image.getpixel((5, 5)) == (red, 0, 0)
        assert "3 frames or pages" in text
    for name in ("scan.tif#page=9", (tmp_path / "outside.png").as_uri(), "../outside.png#page=1", "http://127.0.0.1/"):
        text, views, failed = await workshop.call("overview", {"image_path": name})
        assert failed, name
        assert not views


def test_an_evaluation_takes_pages_and_data_urls(pages: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    images = ["scan.tif#page=3", pages.as_uri(), f"data:image/png;base64,{encoded}"]
    lines = [json.dumps({"image": image, "question": "what?", "answer": "x"}) for image in images]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    first, second, third = read_jsonl_items(tmp_path / "questions.jsonl")
    source = first.open()
    assert source.render(source.size.box, source.size).getpixel((5, 5)) == (150, 0, 0)
    assert second.open().frames == 3
    assert (third.open().size.width, third.open().size.height) == (30, 20)


def test_an_evaluation_fetches_only_if_it_may_and_asks_about_no_other_image(tmp_path: Path) -> None:
    pages: dict[str, Any] = {"/a.png": (200, png(64, 48), None)}
    with web(pages) as url:
        line = {"image": f"{url}/a.png", "question": "what?", "answer": "x"}
        (tmp_path / "questions.jsonl").write_text(json.dumps(line))
        with pytest.raises(DatasetError, match=r"line 1: image: .*/a\.png is a URL.*--allow-download"):
            read_jsonl_items(tmp_path / "questions.jsonl")
        assert not url.asked
        (item,) = load_dataset("jsonl", tmp_path / "questions.jsonl", allow_download=True)
        assert item.open().size == Size(64, 48)
        pages["/a.png"] = (200, png(64, 48), None)
        with pytest.raises(ImageError, match="another image than before"):
            item.open()


def test_a_page_that_is_not_there_is_an_error_of_usage(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("ask", str(pages), "what?", "--page", "4", "-q")
    assert isinstance(result.exception, ImageError)
    assert "there is no such page; expected 1 to 3" in str(result.exception)
    monkeypatch.setattr(sys, "stdin", None)  # as under pythonw
    assert isinstance(run("ask", "-", "what?", "-q").exception, ImageError | SystemExit)
