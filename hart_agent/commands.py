"""Commands that are shown to people: quoted for the shell at hand, and for the environment that runs this code."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_PACKAGE: Final = "hart-agent"
_CHECKOUT: Final = Path(__file__).resolve().parent.parent


def command_line(parts: Sequence[str]) -> str:
    """A command as one line for the shell: cmd on Windows, a POSIX shell elsewhere."""
    return subprocess.list2cmdline(parts) if os.name == "nt" else shlex.join(parts)


def install_command(*packages: str, extra: str = "", reinstall: bool = False) -> str:
    """The command that installs packages into the environment that runs this code.

    Args:
        packages: their names; by default hart-agent, from where it was installed, because it is on no package index.
        extra: of hart-agent, such as "openai".
        reinstall: whether what is there is replaced.
    """
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install"]
    else:  # an environment that uv made
        command = ["uv", "pip", "install", "--python", sys.executable]
    if reinstall:
        command += ["--force-reinstall"] if packages else ["--force-reinstall", "--no-deps"]
    return command_line([*command, *(packages or _own_requirement(extra))])


def _own_requirement(extra: str) -> list[str]:
    """What pip is given to install hart-agent once more (PEP 610 says where it came from)."""
    extras = f"[{extra}]" if extra else ""
    origin = _origin()
    url = origin.get("url", "")
    if url.startswith("file:"):
        from urllib.request import url2pathname  # with clients of HTTP and FTP

        path = url2pathname(urlsplit(url).path)
        if Path(path).exists():
            editable = origin.get("dir_info", {}).get("editable", False)
            return [*(["--editable"] if editable else []), path + extras]
    elif vcs := origin.get("vcs_info"):
        return [f"{_PACKAGE}{extras} @ {vcs['vcs']}+{url}@{vcs['commit_id']}"]
    elif url:
        return [f"{_PACKAGE}{extras} @ {url}"]
    if (_CHECKOUT / "pyproject.toml").exists():  # run from a checkout that was never installed
        return [f"{_CHECKOUT}{extras}"]
    return [_PACKAGE + extras]


def _origin() -> dict[str, Any]:
    """The `direct_url.json` of the installed package; empty if it came from an index, or isn't installed."""
    from importlib.metadata import PackageNotFoundError, distribution  # with the parser of mail, which takes its time

    try:
        text = distribution(_PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return {}
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
