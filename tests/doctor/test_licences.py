"""The list of licences, read from the metadata of what is installed."""

from __future__ import annotations

from email.message import Message
from typing import Any

import pytest

from hart_agent.doctor import licences


class Package:
    def __init__(self, **fields: str) -> None:
        self.metadata = Message()
        for name, value in fields.items():
            for entry in value.split("|"):
                self.metadata[name.replace("_", "-")] = entry


@pytest.mark.parametrize(("fields", "expected"), [
    ({"License_Expression": "MIT", "License": "other"}, "MIT"),
    ({"Classifier": "Topic :: X|License :: OSI :: BSD License|License :: OSI :: ISC"}, "BSD License, ISC"),
    ({"License": "  Apache 2.0\n  long text"}, "Apache 2.0"),
    ({"License": ""}, "unknown: see its files"),
    ({}, "unknown: see its files"),
])  # fmt: skip
def test_the_licence_that_a_package_names(fields: dict[str, str], expected: str) -> None:
    package: Any = Package(**fields)
    assert licences.licence(package) == expected


def test_what_this_installation_needs_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    licences.main()
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert all(len(row) == 3 and all(row) for row in rows)
    named = {name: licence for name, _, licence in rows}
    assert {"hart-agent", "numpy", "pillow", "typer", "filelock"} <= named.keys()
    assert "MIT" in named["pillow"]
