"""A real headless Chromium for the tests of pages, driven by the local chromedriver; nothing is downloaded."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

_MISSING = "these tests need Chromium and its driver: apt-get install chromium chromium-driver"
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
          "--force-prefers-reduced-motion", "--force-color-profile=srgb", "--disable-background-networking",
          "--allow-file-access-from-files")  # fmt: skip


class Browser:
    """One Chromium, and what the tests ask of it."""

    def __init__(self, chromium: str, driver: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        options.set_capability("unhandledPromptBehavior", "ignore")
        for flag in _FLAGS:
            options.add_argument(flag)
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))

    def open(self, page: Path, **options: Any) -> None:
        """Open a page that is a file; for the options see `visit`."""
        self.visit(page.as_uri(), **options)

    def visit(self, url: str, *, size: tuple[int, int] = (1280, 800), dark: bool = False, touch: bool = False) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=touch
        )
        self.command("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get(url)

    def command(self, name: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    def js(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(getattr(Keys, key) if key.isupper() else key).perform()

    def rect(self, selector: str) -> list[float]:
        """Left, top, right and bottom of the first element that fits, in CSS pixels of the window."""
        return self.js(
            "const r = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [r.left, r.top, r.right, r.bottom]",
            selector,
        )

    def screenshot(self) -> Image.Image:
        return Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")

    def requests(self) -> list[str]:
        """The addresses that the page asked for since it was opened, its own among them; data URLs are no requests."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("data:")]


def start_browser() -> Browser:
    """Start Chromium, or skip the test with the reason where there is none; under CI=true its lack is a failure."""
    programs = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if not all(programs):
        if os.environ.get("CI") == "true":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    chromium, driver = programs
    assert chromium is not None
    assert driver is not None
    return Browser(chromium, driver)
