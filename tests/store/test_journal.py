"""Results on disk: whole lines only, whatever happens to the process or the disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.errors import ConfigError, OutputError
from hart_agent.store.journal import Journal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), lambda inner: st.lists(inner, max_size=3)
)
RECORDS = st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=5)


@given(RECORDS, RECORDS, st.data())
def test_a_half_line_is_dropped_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, first: list[dict[str, object]], second: list[dict[str, object]],
    data: st.DataObject,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("journal") / "out.jsonl"
    with Journal(path) as journal:
        for record in first:
            journal.append(record)
    whole = path.read_bytes()
    torn = json.dumps(data.draw(st.dictionaries(st.text(), JSON, min_size=1))).encode()
    path.write_bytes(whole + torn[: data.draw(st.integers(0, len(torn)))])
    with Journal(path) as journal:
        assert journal.records == first
        for record in second:
            journal.append(record)
        assert journal.records == first + second
    assert [json.loads(line) for line in path.read_text().split("\n")[:-1]] == first + second


def test_two_runs_can_not_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    code = f"from pathlib import Path; from hart_agent.store.journal import Journal; Journal(Path({str(path)!r}))"
    with Journal(path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "being written by another run" in done.stderr
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    code = (
        "import os, signal; from pathlib import Path; from hart_agent.store.journal import Journal; "
        f"Journal(Path({str(path)!r})).append({{'id': 1}}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode < 0
    with Journal(path) as journal:
        assert journal.records == [{"id": 1}]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not JSON\n")
    with pytest.raises(ConfigError, match="line 1 is not a record"):
        Journal(path)
    assert path.read_text() == "not JSON\n"
    with pytest.raises(OutputError, match="can't be written"):
        Journal(tmp_path / "missing" / "out.jsonl")


def test_a_full_disk_is_said_and_nothing_is_torn(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a small disk: writing beyond it fails in the same way."""
    path = tmp_path / "out.jsonl"
    code = f"""
import resource, signal
from pathlib import Path
from hart_agent.errors import OutputError
from hart_agent.store.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with Journal(Path({str(path)!r})) as journal:
    try:
        for number in range(99):
            journal.append({{"number": number, "text": "x" * 50}})
    except OutputError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "make room" in done.stdout
    with Journal(path) as journal:
        assert [record["number"] for record in journal.records] == list(range(len(journal.records)))
        assert 10 < len(journal.records) < 20
    assert path.read_bytes().endswith(b"\n")
