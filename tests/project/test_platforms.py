"""Windows and macOS: nothing is called that only POSIX has, unless the code asks first whether it is there."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("hart_agent", "tools", "prompts", "rl") for path in (ROOT / folder).rglob("*.py"))

# Python's documentation: "Availability: Unix" or "not Windows".
MODULES = set("fcntl grp posix pty pwd resource syslog termios tty".split())
NAMES = {
    "os": set(
        "chown chroot ctermid fchdir fchmod fchown fork forkpty getegid geteuid getgid getgroups getloadavg getpgid "
        "getpgrp getpriority getresuid getsid getuid initgroups killpg lchown lockf major mkfifo mknod nice openpty "
        "pathconf pipe2 posix_fadvise posix_fallocate posix_spawn pread preadv pwrite pwritev sched_getaffinity "
        "sched_setaffinity sendfile setegid seteuid setgid setgroups setpgid setpriority setsid setuid statvfs sync "
        "sysconf tcgetpgrp ttyname uname wait wait3 wait4 WNOHANG O_CLOEXEC O_DIRECTORY O_NOFOLLOW".split()
    ),
    "signal": set("SIGALRM SIGCHLD SIGHUP SIGKILL SIGQUIT SIGUSR1 SIGUSR2 alarm pause setitimer sigwait".split()),
    "time": {"clock_gettime", "tzset"},
    "select": {"poll", "epoll", "kqueue"},
    "socket": {"AF_UNIX"},
}
NEEDED_BY_PYTHON = set("fork getuid geteuid uname WNOHANG waitpid O_CLOEXEC O_DIRECTORY sysconf".split())
"""By its own modules, on this platform."""
METHODS = {"add_signal_handler", "mkfifo"}
FOLDERS = ("/dev/", "/proc/", "/tmp/", "/etc/")


def posix_only(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each use of what only POSIX has, but for functions that `hasattr` or `sys.platform` guards."""
    tree = ast.parse(source)
    guarded: set[ast.AST] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            asked = {
                call.args[1].value
                for call in ast.walk(function)
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "hasattr"
                and isinstance(call.args[1], ast.Constant)
            }  # fmt: skip
            text = ast.unparse(function)
            if "if sys.platform != 'linux':" in text:
                guarded |= set(ast.walk(function))
            guarded |= {node for node in ast.walk(function) if isinstance(node, ast.Attribute) and node.attr in asked}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from ((node.lineno, name) for name in named if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Attribute) and node not in guarded:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in NAMES.get(owner, ()) or node.attr in METHODS:
                yield node.lineno, f"{owner}.{node.attr}"
        elif node in guarded:
            continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(FOLDERS):
            yield node.lineno, node.value


def test_what_only_posix_has_is_found() -> None:
    source = """
import fcntl
from pwd import getpwuid
def one(loop):
    os.fork()
    loop.add_signal_handler(1, one)
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else open("/proc/self")
def two():
    return os.sched_getaffinity(0), signal.SIGKILL, os.getpid()
"""
    found = [name for _, name in sorted(posix_only(source))]
    assert sorted(found) == sorted(
        ["fcntl", "pwd", "os.fork", "loop.add_signal_handler", "/proc/self", "os.sched_getaffinity", "signal.SIGKILL"]
    )


@pytest.mark.parametrize("folder", ["hart_agent", "tools", "prompts", "rl"])
def test_nothing_is_called_that_only_posix_has(folder: str) -> None:
    files = [path for path in SOURCES if path.relative_to(ROOT).parts[0] == folder]
    assert files
    found = {
        f"{path.relative_to(ROOT)}:{line}": name
        for path in files
        for line, name in posix_only(path.read_text(encoding="utf-8"))
    }
    assert not found


OF_POSIX: tuple[str, ...] = ()
"""Tests that themselves call what only POSIX has."""

WITHOUT = """
import os, signal, sys
for module in {modules!r}:
    sys.modules[module] = None
for name in {names!r}:
    if hasattr(os, name):
        delattr(os, name)
from PIL import Image
from hart_agent import Agent, ScriptedPolicy
replies = ['<tool_call>{{"name": "crop", "arguments": {{"bbox_2d": [0, 0, 40, 30], "label": "x"}}}}</tool_call>',
           "<answer>STOP</answer>", "<answer>STOP</answer>"]
result = Agent(ScriptedPolicy(replies)).ask(Image.new("RGB", (64, 48)), "what?")
assert (result.answer, str(result.verdict)) == ("STOP", "supported"), result
from hart_agent.ocr import TextReader
TextReader()
from hart_agent.cli import app
"""


def test_a_question_is_answered_where_those_calls_are_missing() -> None:
    kept = {"posix", "pwd", "resource"}  # the interpreter's own start needs them
    names = sorted(NAMES["os"] - NEEDED_BY_PYTHON)
    script = WITHOUT.format(modules=sorted(MODULES - kept - {"fcntl"}), names=names)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_core_passes_its_tests_where_those_calls_are_missing() -> None:
    folders = ("agent", "answers", "dialogue", "ocr", "tooling", "tools", "trace", "vision")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no_posix", "-p", "no:cacheprovider"]
    deselected = [word for name in OF_POSIX for word in ("--deselect", f"tests/{name}")]
    paths = [str(ROOT / "tests" / folder) for folder in folders]
    done = subprocess.run(
        [*command, *deselected, *paths], cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "support"), *sys.path])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
