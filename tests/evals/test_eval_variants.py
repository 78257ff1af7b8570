"""Curves of accuracy against an option: what is drawn lies where the numbers are."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import eval_files as files
import pytest
from loopback import serve
from openai_asks import zoom_first
from typer.testing import CliRunner

from hart_agent.cli import app
from hart_agent.evals.variants import curve

SVG = "{http://www.w3.org/2000/svg}"


def drawn(name: str, points: dict[str, tuple[float, float, float]]) -> ElementTree.Element:
    listed = [(value, {"low": low, "value": mean, "high": high}) for value, (low, mean, high) in points.items()]
    return ElementTree.fromstring(curve(name, listed))


def circles(svg: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(node.get("cx", "")), float(node.get("cy", ""))) for node in svg.iter(f"{SVG}circle")]


def test_points_lie_where_the_accuracies_are_and_whiskers_where_the_intervals_end() -> None:
    svg = drawn("max_turns", {"1": (0.4, 0.5, 0.6), "2": (0.5, 0.6, 0.7), "4": (0.6, 0.7, 0.8)})
    scale = {node.text: float(node.get("y", "")) - 4 for node in svg.iter(f"{SVG}text") if "%" in (node.text or "")}
    (x1, y1), (x2, y2), (x4, y4) = circles(svg)
    assert [y1, y2, y4] == pytest.approx([scale["50 %"], scale["60 %"], scale["70 %"]], abs=0.02)
    assert (x2 - x1) * 2 == pytest.approx(x4 - x2, abs=0.05)  # a linear axis
    upright = [node for node in svg.iter(f"{SVG}line") if node.get("x1") == node.get("x2")]
    assert [float(node.get("y1", "")) for node in upright] == pytest.approx(
        [scale["40 %"], scale["50 %"], scale["60 %"]], abs=0.02
    )
    assert len(list(svg.iter(f"{SVG}polyline"))) == 1
    assert {node.get("fill") for node in svg.iter(f"{SVG}text")} == {"#000"}


def test_pixels_have_a_logarithmic_axis_and_modes_none() -> None:
    svg = drawn("max_pixels", {str(300_000 * 4**at): (0.1, 0.2, 0.3) for at in range(3)})
    (x1, _), (x2, _), (x3, _) = circles(svg)
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.05)
    assert "4,800,000" in [node.text for node in svg.iter(f"{SVG}text")]
    modes = drawn("mode", {"direct": (0, 0, 0), "<agent>": (1, 1, 1)})
    assert list(modes.iter(f"{SVG}polyline")) == []
    assert {"0 %", "100 %", "<agent>"} <= {node.text for node in modes.iter(f"{SVG}text")}


def test_varying_turns_writes_the_curve_and_a_page_with_the_costs(tmp_path: Path) -> None:
    data = files.write_vstar_questions(tmp_path / "data")

    with serve(zoom_first) as server:
        command = ["eval", "vstar", str(data), "--out", str(tmp_path / "run"), "--no-verify", "--base-url", server.url,
                   "--vary", "max_turns=1,3", "--json", "--quiet"]  # fmt: skip
        done = CliRunner().invoke(app, command, catch_exceptions=False)
    found = json.loads(done.stdout)
    svg = ElementTree.parse(tmp_path / "run/variants.svg").getroot()
    heights = [y for _, y in circles(svg)]
    values = [found[f"max_turns {turns}"]["summary"]["accuracy"]["value"] for turns in (1, 3)]
    assert (heights[0] > heights[1]) == (values[0] < values[1])
    page = (tmp_path / "run/variants.html").read_text()
    assert 'href="max_turns-3/report.html"' in page
    for report in found.values():
        assert report["citation"].split(";")[0] in page
        assert f"<td>{report['per_question']['requests']:,g}</td>" in page
