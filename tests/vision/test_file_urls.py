"""File URLs that are none, or of elsewhere."""

from __future__ import annotations

import pytest

from hart_agent.errors import ImageError
from hart_agent.vision.opening import open_image


@pytest.mark.parametrize(("url", "said"), [
    ("file://[::1", "is not a valid file URL"), ("FILE://[/a.png", "is not a valid file URL"),
    ("file://server/a.png", "is on another machine"), ("file://%00", "is on another machine"),
    ("file:///a%00.png", "no such file"),
])  # fmt: skip
def test_a_damaged_file_url_is_named(url: str, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        open_image(url)
