"""Reads replies that grow towards code not yet reached: `python tests/hostile/guided_replies.py COUNT SEED FOLDER`.

Coverage of the modules that read guides them, by atheris, which must be installed. A reply is bytes: those that are
UTF-8 stand for themselves, any other for a marker or a piece of a call, so that a short input is a reply with a form.
Each is checked as a random one is (see `random_replies`). FOLDER keeps those that reached something new.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

try:
    import atheris
except ImportError as error:
    raise SystemExit("guided replies need atheris: pip install atheris") from error

with atheris.instrument_imports(include=["hart_agent.dialogue", "hart_agent.answers", "hart_agent.backends.openai"]):
    from random_replies import FORMS, MARKS, TEXTS, read

from watch import Watch

LENGTH = 160
"""Bytes of a reply at most."""
PIECES = [*MARKS, *(piece for form in FORMS.values() for piece in form.replace("{{", "{").split("{json}"))]


def text_of(data: bytes) -> str:
    """A reply's text; its first byte is for what is drawn."""
    text = data[1:].decode("utf-8", "surrogateescape")
    return "".join(PIECES[ord(char) % len(PIECES)] if "\udc80" <= char <= "\udcff" else char for char in text)


def main() -> None:
    count, seed, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    for number, text in enumerate(TEXTS):
        (folder / f"sound-{number}").write_bytes(b"\1" + text.encode("utf-8", "replace")[: LENGTH - 1])
    watch, left = Watch(), count

    def test(data: bytes) -> None:
        nonlocal left
        if not data:
            return
        text, first = text_of(data), data[0]

        def case() -> list[str]:
            return read(text, "12", random.Random(first), envelopes=first % 16 == 0, answers=first % 64 == 0)[0]

        try:
            watch.outcomes.update(watch(case, repr(text)))
        except SystemExit as error:  # libFuzzer would write of a crash of its own
            _end(str(error), 1)
        left -= 1
        if not left:
            _end(f"{watch}; {sum(1 for _ in folder.iterdir()) - len(TEXTS)} of them reached something new", 0)

    atheris.Setup([sys.argv[0], f"-seed={seed + 1}", f"-max_len={LENGTH}", "-timeout=3600", "-verbosity=0",
                   "-report_slow_units=3600", f"-artifact_prefix={folder}/", str(folder)], test)  # fmt: skip
    atheris.Fuzz()


def _end(said: str, code: int) -> None:
    (sys.stderr if code else sys.stdout).write(said + "\n")
    (sys.stderr if code else sys.stdout).flush()
    os._exit(code)


if __name__ == "__main__":
    main()
