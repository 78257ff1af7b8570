"""Results on disk: whole lines only, whatever happens to the process or the disk."""

from __future__ import annotations

import json
import os
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


@pytest.mark.parametrize(
    "content",
    ['{"theme": "dark"}', '{\n  "theme": "dark"\n}', "notes without an end", '{"key":"k"}\n[1]',
     '{"key":"k"}\nnotes', "\x00\x01"],
    ids=["object", "indented", "text", "list", "second line", "binary"],
)  # fmt: skip
def test_a_half_line_that_is_not_ours_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="left untouched"):
        Journal(path, first_key="key")
    assert path.read_text() == content


@pytest.mark.parametrize("torn", ["{", '{"k', '{"key":', '{"key":"' + "x" * 70_000, '{"key":"whole"}', " "])
def test_what_a_killed_run_left_of_a_record_is_cut(tmp_path: Path, torn: str) -> None:
    """A half line may be longer than what is read at once, a single byte, or lack nothing but its end."""
    path = tmp_path / "records.jsonl"
    for before in ("", '{"key":"kept"}\n'):
        path.write_text(before + torn)
        with Journal(path, first_key="key") as journal:
            assert len(journal.records) == bool(before)
        assert path.read_text() == before


def test_blank_lines_hold_nothing_up(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text('\n{"key":1}\n   \n\n{"key":2}\n\n')
    with Journal(path, first_key="key") as journal:
        journal.append({"key": 3})
        assert [record["key"] for record in journal.records] == [1, 2, 3]
    with Journal(path, first_key="key") as journal:
        assert [record["key"] for record in journal.records] == [1, 2, 3]


def test_after_a_failed_write_the_file_ends_with_the_record_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "records.jsonl"
    synced: list[int] = []
    with Journal(path) as journal:
        monkeypatch.setattr(os, "fsync", synced.append)
        journal.append({"number": 1})
        assert len(synced) == 1
        before = path.read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left on device"):
            journal.append({"number": 2})
        assert path.read_bytes() == before  # not only once it is opened again
        assert journal.records == [{"number": 1}]


def test_a_file_that_can_not_be_opened_gives_its_lock_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "records.jsonl"
    real = Path.open

    def refuse(self: Path, *arguments: object, **options: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return real(self, *arguments, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        with pytest.raises(
            OutputError, match=rf"{path.name} can't be written: Permission denied\. Choose another path\."
        ) as refused:
            Journal(path)
    with Journal(path) as journal:
        assert journal.records == []
    del refused  # which held all that the traceback holds, the lock too


def test_what_is_closed_writes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "records.jsonl")
    journal.append({"number": 1})
    journal.close()
    with pytest.raises(ValueError, match="closed file"):
        journal.append({"number": 2})
    assert journal.path.read_text() == '{"number":1}\n'


def test_a_lock_never_empties_a_file_of_someone_else(tmp_path: Path) -> None:
    lock = tmp_path / ".records.jsonl.lock"
    lock.write_text("a diary")
    with pytest.raises(ConfigError, match="not a lock of hart-agent"):
        Journal(tmp_path / "records.jsonl")
    assert lock.read_text() == "a diary"
    lock.unlink()
    lock.symlink_to(tmp_path / "diary.txt")
    with pytest.raises(ConfigError, match="not a lock of hart-agent"):
        Journal(tmp_path / "records.jsonl")
    assert not (tmp_path / "diary.txt").exists()


@pytest.mark.parametrize("length", [10, 65_535, 65_536, 65_537, 200_000])
def test_a_half_line_is_cut_however_long_it_is(tmp_path: Path, length: int) -> None:
    path, whole = tmp_path / "run.jsonl", b'{"id": 1}\n{"id": 2}\n'
    path.write_bytes(whole + b'{"'.ljust(length, b"x"))
    with Journal(path) as journal:
        assert journal.records == [{"id": 1}, {"id": 2}]
    assert path.read_bytes() == whole


def test_a_file_that_is_refused_is_not_kept_open(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text("notes\n")
    refusals = []
    for _ in range(2):  # the second is not told that another run writes it
        with pytest.raises(ConfigError, match="left untouched") as refused:
            Journal(path)
        refusals.append(refused)  # with all that the traceback holds


def test_a_path_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.symlink_to(path)
    with pytest.raises(OutputError, match=r"run\.jsonl"):
        Journal(path)


def test_the_lock_stays_and_may_be_deleted_between_runs(tmp_path: Path) -> None:
    path, lock = tmp_path / "records.jsonl", tmp_path / ".records.jsonl.lock"
    for name in ("a", "b"):
        with Journal(path) as journal:
            journal.append({"key": name})
            with pytest.raises(ConfigError, match="another run"):
                Journal(path)
        assert lock.stat().st_size == 0
        lock.unlink()
    with Journal(path) as journal:
        assert [record["key"] for record in journal.records] == ["a", "b"]
