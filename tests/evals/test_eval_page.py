"""The page of an evaluation, in a real Chromium: numbers where they belong, hostile text, no network, phones, print."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from page_checks import HOSTILE, LEAKS, server

from hart_agent.errors import ConfigError
from hart_agent.evals.page import report_page, write_report_page
from hart_agent.evals.report import make_report

__all__ = ["server"]

IOGT = (0.98, 0.83, 0.72, 0.58, 0.47, 0.36, 0.28, 0.13, 0, None)
"""Of the ten questions: how much of the gold box the predicted one covers, or None without a box."""

RIGHT, RIGHT_REVERSED = (0, 1, 2, 6, 9), (0, 1, 2, 3)
STILL_RIGHT = {"no_image": 1, "random_box": 2, "other_image": 2, "masked": 3, "no_tools": 4}
VERDICTS = ["supported"] * 4 + ["unsupported"] * 3 + ["insufficient"] * 2 + ["unchecked"]
STREET, SIGN = "street <script>alert(1)</script>", "sign"
MANIFEST: dict[str, Any] = {
    "policy": "looker",
    "profile": {"space": "pixel", "budget": {"max_pixels": 200_000}},
    "episode": {"mode": "agent", "max_turns": 16},
    "options": {"backend": "openai", "model": None, "max_turns": 16},
    "settings": {"seed": 0, "controls": True, "limit": None},
    "dataset": {"name": "squares", "items": 10, "sha256": "ab" * 32},
    "prompts_sha256": "cd" * 32,
    "versions": {"python": "3.11.9", "numpy": "2.3.1"},
}
FREE = {"input_tokens": 0, "output_tokens": 0, "requests": 0}


def record(number: int, order: int = 0) -> dict[str, Any]:
    """A question whose gold box is 100 x 100 pixels of 1000 x 1000; the predicted box is as large, and moved."""
    covered = IOGT[number]
    moved = 100 - round(100 * covered) if covered is not None else 0
    return {
        "key": f"{number}#{order}",
        "id": str(number),
        "category": STREET if number in (0, 1, 2, 6) else SIGN,
        "order": [0, 1],
        "answer": "A",
        "right": number in (RIGHT_REVERSED if order else RIGHT),
        "boxes": [] if covered is None else [[100 + moved, 100, 200 + moved, 200]],
        "gold_boxes": [[100, 100, 200, 200]],
        "image": [1000, 1000],
        "verdict": VERDICTS[number],
        "controls": {}
        if order
        else {name: {"right": number < count, "usage": FREE} for name, count in STILL_RIGHT.items()},
        "usage": {"input_tokens": 100, "output_tokens": 10, "requests": 2},
        "seconds": number + 1.0,
        "error": None,
    }


def records(**changed: Any) -> list[dict[str, Any]]:
    return [record(number, order) | changed for number in range(10) for order in (0, 1)]


def write(folder: Path, report: dict[str, Any]) -> Path:
    write_report_page(report, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("page"), make_report(records(), MANIFEST))


def texts(browser: Browser, selector: str) -> list[str]:
    return browser.js(
        "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent.replaceAll('\\xa0', ' '))", selector
    )


BARS = """
return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter(row => row.querySelector('.row')).map(row => {
  const frame = row.querySelector('.row').getBoundingClientRect();
  const ends = kind => {
    const drawn = row.querySelector('.' + kind)?.getBoundingClientRect();
    return drawn ? [drawn.left, drawn.right].map(x => (x - frame.left) / frame.width) : null;
  };
  return [row.querySelector('th').textContent, ends('bar'), ends('whisker'), ends('point'), ends('mark')];
});
"""


def bars(browser: Browser, section: str) -> dict[str, dict[str, Any]]:
    """Of each row its bar, whisker, point and mark as drawn, in shares of the scale."""
    drawn: dict[str, dict[str, Any]] = {}
    for name, bar, whisker, point, mark in browser.js(BARS, section):
        assert bar[0] == pytest.approx(0, abs=0.005)
        middle = {"point": point, "mark": mark}
        drawn[name] = {"bar": bar[1], "whisker": whisker} | {
            kind: sum(ends) / 2 if ends else None for kind, ends in middle.items()
        }
    return drawn


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_bars_and_points_lie_where_the_numbers_say(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, size=(width, 800))
    categories = bars(browser, "#categories")
    assert list(categories) == [STREET, SIGN]  # the best first
    wilson = {STREET: (1, 0.5101, 1), SIGN: (1 / 6, 0.0301, 0.5635)}  # 4 of 4 and 1 of 6, by hand
    for name, (value, low, high) in wilson.items():
        drawn = categories[name]
        assert drawn["bar"] == pytest.approx(value, abs=0.005)
        assert drawn["point"] == pytest.approx(value, abs=0.005)
        assert drawn["whisker"] == pytest.approx([low, high], abs=0.015)
        assert drawn["mark"] == pytest.approx(0.5, abs=0.01)
    controls = bars(browser, "#controls")
    assert [drawn["bar"] for drawn in controls.values()] == pytest.approx([0.5, 0.1, 0.2, 0.2, 0.3, 0.4], abs=0.005)
    assert [drawn["bar"] for drawn in bars(browser, "#verdicts").values()] == pytest.approx(
        [0.4, 0.3, 0.2, 0.1], abs=0.005
    )
    assert [drawn["bar"] for drawn in bars(browser, "#orders").values()] == pytest.approx([0.5, 0.4, 0.3], abs=0.005)
    tight = bars(browser, "#boxes")
    assert tight["IoGT"]["bar"] == pytest.approx(0.435, abs=0.005)  # the sum of IOGT is 4.35
    assert tight["Precision"]["bar"] == pytest.approx(4.35 / 9, abs=0.005)
    assert tight["Area fraction"]["bar"] == pytest.approx(0.01, abs=0.005)


@pytest.mark.browser
def test_the_sweep_is_drawn_through_its_points(browser: Browser, page: Path) -> None:
    browser.open(page)
    left, top, right, bottom = browser.rect(".curve-plot")
    drawn = browser.js(
        "return [...document.querySelectorAll('.curve-plot .point')].map(p => p.getBoundingClientRect())"
        ".map(r => [(r.left + r.right) / 2, (r.top + r.bottom) / 2])"
    )
    points = {round((x - left) / (right - left), 2): (bottom - y) / (bottom - top) for x, y in drawn}
    assert list(points) == [round(0.05 * step, 2) for step in range(20)]
    for threshold, share in points.items():
        covered = sum(1 for iogt in IOGT if iogt is not None and iogt > threshold)
        assert share == pytest.approx(covered / 10, abs=0.005)
    lines = browser.js(
        "return [...document.querySelectorAll('.curve')].map(l => [l.x1, l.y1, l.x2, l.y2].map(e => e.baseVal.value))"
    )
    ends = [[x - left, y - top] for x, y in drawn]
    assert [end for line in lines for end in (line[:2], line[2:])] == [
        pytest.approx(end, abs=0.1) for pair in pairwise(ends) for end in pair
    ]
    mark = browser.rect(".curve-plot .mark")
    assert (mark[0] + mark[2]) / 2 == pytest.approx(left + 0.3 * (right - left), abs=1)
    assert texts(browser, ".curve-plot .label") == ["0.3: 60.0%"]
    assert texts(browser, "#sweep tbody td")[::6] == ["80.0%", "60.0%", "30.0%", "10.0%"]


@pytest.mark.browser
def test_numbers_are_told_with_their_intervals(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert texts(browser, "h1") == ["squares"]
    assert texts(browser, "header p") == ["looker", "10 questions"]
    keys = dict(zip(texts(browser, ".key dt"), texts(browser, ".key .large"), strict=True))
    assert list(keys) == ["Accuracy", "Grounded, IoGT > 0.3", "IoU", "Evidence gap", "Area fraction",
                          "Wrong box, right answer"]  # fmt: skip
    iou = sum(iogt / (2 - iogt) for iogt in IOGT if iogt) / 10  # of two boxes of the same area
    assert list(keys.values()) == ["50.0%", "60.0%", f"{iou:.3f}", "30.0 points", "1.0%", "40.0%"]
    assert texts(browser, ".key .muted")[0] == "23.7 to 76.3%, n = 10"  # Wilson's interval of 5 of 10
    assert texts(browser, "#crossed td b") == ["3", "2", "5", "3", "2", "5", "6", "4", "10"]
    assert texts(browser, ".remarks p") == ["40% of the right answers come without a right box."]
    groups = texts(browser, "#controls [scope=rowgroup]")
    removing, after = (texts(browser, f"#controls tbody:nth-of-type({place}) th[scope=row]") for place in (2, 3))
    assert len(groups) == 2
    assert "taken away" in groups[0]
    assert "Nothing taken away" in groups[1]
    assert len(removing) == 4
    assert after == ["Without tools"]
    facts = dict(zip(texts(browser, ".facts dt"), texts(browser, ".facts dd"), strict=True))
    assert facts["Tokens in"] == "2,000"
    assert facts["Requests"] == "40"
    assert facts["Median time"] == "5.50 s for a question"
    assert facts["budget.max_pixels"] == "200000"
    assert facts["numpy"] == "2.3.1"
    assert {"ab" * 32, "cd" * 32} <= set(texts(browser, ".facts dd"))
    assert "limit" not in facts  # not given


@pytest.mark.browser
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(browser: Browser, tmp_path: Path, text: str) -> None:
    counts = []
    for word in ("x", text):
        failed = record(5) | {"category": word, "error": {"type": "PolicyError", "message": word}, "answer": None}
        manifest = MANIFEST | {
            "policy": word, "dataset": MANIFEST["dataset"] | {"name": word}, "options": {word: {word: [word]}},
        }  # fmt: skip
        browser.open(write(tmp_path, make_report([*records(), failed], manifest)))
        counts.append(browser.js("return document.querySelectorAll('*').length"))
        assert browser.js("return [document.scripts.length, document.querySelectorAll('style').length]") == [0, 1]
    assert counts[0] == counts[1]
    assert texts(browser, "h1") == [text]
    assert texts(browser, ".policy") == [text]
    assert texts(browser, ".failures li") == [f"PolicyError: {text}"]
    assert text in texts(browser, "#categories th")
    assert f"{text}.{text}" in texts(browser, ".facts dt")
    assert [entry["message"] for entry in browser.driver.get_log("browser")] == []
    with pytest.raises(Exception, match="no such alert"):
        browser.driver.switch_to.alert  # noqa: B018


@pytest.mark.browser
def test_no_request_leaves_the_page_and_none_can(browser: Browser, page: Path, server: tuple[str, list[str]]) -> None:
    base, asked = server
    browser.open(page)
    assert browser.requests() == [page.as_uri()]
    assert browser.driver.execute_async_script(LEAKS, base) == "refused"
    assert (
        browser.js("""
        const script = document.createElement('script');
        try { script.textContent = 'window.ran = true'; document.body.append(script); } catch {}
        return window.ran ?? null""")
        is None
    )
    assert asked == []


@pytest.mark.browser
def test_light_dark_and_print(browser: Browser, page: Path) -> None:
    def colours() -> list[int]:
        """The brightness of the background, of the text and of a point, 0 to 765."""
        found = browser.js(
            "const style = s => getComputedStyle(document.querySelector(s));"
            "return [style('body').backgroundColor, style('h1').color, style('.curve').stroke]"
        )
        return [sum(map(int, colour[4:-1].split(","))) for colour in found]

    browser.open(page, dark=True)
    dark = colours()
    browser.open(page)
    light = colours()
    assert light[0] > 700
    assert light[1] < 200
    assert dark[0] < 100
    assert dark[1] > 600
    assert dark[2] > light[2] + 150
    browser.press("TAB", "SPACE")
    assert colours() == dark
    browser.command("Emulation.setEmulatedMedia", media="print")
    try:
        assert colours() == light
        assert browser.rect("#sweep details td")[3] > browser.rect("#sweep details summary")[3]
        assert browser.js("return document.querySelector('#sweep details table').checkVisibility()")
    finally:
        browser.command("Emulation.setEmulatedMedia", media="")


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 360, 820])
def test_small_screens_need_no_horizontal_scrolling(browser: Browser, tmp_path: Path, width: int) -> None:
    long = "w" * 300
    many = [
        record(number % 10) | {"id": str(number), "key": f"{number}#0", "category": f"kind {number} {long[:number]}"}
        for number in range(100)
    ]
    failed = record(0) | {"error": {"type": "ImageError", "message": long}}
    manifest = MANIFEST | {"policy": long, "dataset": MANIFEST["dataset"] | {"name": long}, "options": {long: long}}
    report = make_report([*many, failed], manifest) | {"remarks": [long]}
    browser.open(write(tmp_path, report), size=(width, 800), touch=True)
    assert browser.js("return document.documentElement.scrollWidth") <= width
    cut = browser.js(
        "return [...document.querySelectorAll('h1, p, li, th, td, dd, dt, svg')].filter(e => {"
        "const r = e.getBoundingClientRect(); return r.left < 0 || r.right > innerWidth + 0.5 }).length"
    )
    assert cut == 0
    assert len(texts(browser, "#categories tbody tr")) == 100
    narrow = browser.js("return [...document.querySelectorAll('svg.row')].map(e => e.getBoundingClientRect().width)")
    assert min(narrow) >= 60
    overlaps = browser.js(
        "return [...document.querySelectorAll('td.plot')].filter(cell => cell.querySelector('.row')"
        ".getBoundingClientRect().right > cell.querySelector('b').getBoundingClientRect().left).length"
    )
    assert overlaps == 0


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_tables_and_figures_speak_for_themselves(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, size=(width, 800))
    browser.command("Accessibility.enable")
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", "").replace("\xa0", " "))
        for node in nodes if not node["ignored"]
    ]  # fmt: skip
    assert [name for role, name in named if role == "image"] == [
        "Share of the questions grounded by IoGT threshold: 80.0% above 0, 60.0% above 0.3, 10.0% above 0.95"
    ]
    assert ("checkbox", "Switch between light and dark") in named
    roles = [role for role, _ in named]
    assert roles.count("table") == 6  # the sweep's is closed
    assert {name for role, name in named if role == "rowheader"} >= {STREET, SIGN, "Supported", "Right answer"}
    assert {name for role, name in named if role == "columnheader"} >= {"Category", "95% interval", "n", "Wrong box"}
    assert "50.0% 23.7 to 76.3%" in {name for role, name in named if role in ("cell", "gridcell")}
    assert browser.js("return document.querySelectorAll('th:not([scope])').length") == 0
    browser.press("TAB", "TAB", "ENTER")
    assert browser.js("return document.querySelector('details').open")


@pytest.mark.browser
def test_missing_parts_are_left_out(browser: Browser, tmp_path: Path) -> None:
    plain = {"gold_boxes": [], "boxes": [], "controls": {}, "order": [], "category": ""}
    browser.open(write(tmp_path, make_report(records(**plain), MANIFEST)))
    assert texts(browser, "h2") == ["Verdicts of the self-check", "Usage and time", "To run it again"]
    assert texts(browser, ".key dt") == ["Accuracy"]
    left, _, right, _ = browser.rect("#verdicts")
    assert right - left == pytest.approx(browser.rect("header")[2] - browser.rect("header")[0], abs=1)  # no hole
    assert "None" not in texts(browser, "body")[0]


def test_how_often_the_format_was_kept_stands_next_to_the_accuracy() -> None:
    kept = [entry | {"format_kept": entry["id"] in "123"} for entry in records()]
    text = report_page(make_report(kept, MANIFEST))
    assert text.index("Accuracy") < text.index("Format kept") < text.index("Grounded, IoGT")
    assert "30.0%" in text[text.index("Format kept") :][:100]
    assert "plain words" not in text
    untagged = [entry | {"untagged": entry["id"] in "45"} for entry in kept]
    assert "in the form asked for; 2 answered in plain words" in report_page(make_report(untagged, MANIFEST))
    older = kept[:2] + records()[2:]  # a run begun before it was recorded
    assert make_report(older, MANIFEST)["summary"]["format_kept"]["count"] == 1
    assert "Format kept" not in report_page(make_report(records(), MANIFEST))


def test_a_run_that_goes_on_says_how_far_it_came() -> None:
    assert "1 of 10 questions so far" in report_page(make_report([record(0)], MANIFEST))


def test_a_failure_is_told_once(tmp_path: Path) -> None:
    assert "Failures" not in report_page(make_report(records(), MANIFEST))
    error = {"error": {"type": "PolicyError", "message": "no reply"}, "answer": None, "right": False}
    text = report_page(make_report([*records(), record(0) | error, record(1) | error], MANIFEST))
    assert "Asking failed 2 times." in text
    assert text.count("PolicyError: no reply") == 1


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here", encoding="utf-8")
    with pytest.raises(ConfigError, match="can't be written: there is no folder"):
        write_report_page(make_report(records(), MANIFEST), tmp_path / "file" / "report.html")
