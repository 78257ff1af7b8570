"""What a command that runs for long frees goes back to the system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import gc, os, sys
from pathlib import Path
from hart_agent.cli.memory import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

if sys.argv[1] == "called":
    return_freed_memory()
big = b"x" * 30_000_000
del big  # from now on glibc takes blocks of up to so many bytes from its heap
before = resident()
kept, blocks = [], []
for number in range(20):
    blocks.append(bytes([number]) * 10_000_000)
    kept.append(bytes([number]) * 1_000)  # stands between them
del blocks
gc.collect()
print(resident() - before)
"""


def left(argument: str, **variables: str) -> float:
    """Megabytes that a process still holds after 200 were freed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, argument],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux" or "glibc" not in os.confstr("CS_GNU_LIBC_VERSION"), reason="glibc's own")
def test_large_blocks_that_are_freed_go_back_to_the_system() -> None:
    assert left("not called") > 150
    assert left("called") < 20
    assert left("called", MALLOC_ARENA_MAX="8") > 150  # the user's own settings stay
