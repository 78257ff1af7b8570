"""Which mutants the tests kill: see `run`, which starts it.

The tree is copied, and mutants are written into the copy, so that processes that tests start see them, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from mutants import Mutant, mutants
from warm import Outcome, Warm

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
Chosen = tuple[str, Mutant, str]
"""A module, a mutant of it, and its key."""

EQUIVALENT, SURVIVED = "equivalent", "survived"
Z = 1.96
"""Of a 95 % interval."""


def copy_tree(target: Path) -> None:
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def key(module: str, mutant: Mutant) -> str:
    """The same for the same change of the same function or other statement of a module."""
    return hashlib.sha256("\0".join((module, mutant.was, mutant.now)).encode()).hexdigest()[:16]


def named(record: dict[str, Any]) -> tuple[str, ...]:
    """What a mutant is called where equivalents are listed: without line numbers, which move."""
    return tuple(record[field] for field in ("module", "text", "before", "after"))


def equivalents() -> set[tuple[str, ...]]:
    rows = (HERE / "equivalents.tsv").read_text(encoding="utf-8").splitlines()
    return {tuple(row.split("\t")[:4]) for row in rows if row and not row.startswith("#")}


def read(results: Path) -> dict[str, dict[str, Any]]:
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return {record["key"]: record for record in map(json.loads, lines)}


def sample(folder: Path, modules: list[str], count: int, seed: int) -> list[Chosen]:
    """So many mutants of some modules; `count` 0 means all."""
    found = []
    for module in modules:
        source = (folder / module).read_text(encoding="utf-8")
        found += [(module, mutant, key(module, mutant)) for mutant in mutants(source, str(folder / module))]
    random.Random(seed).shuffle(found)
    return found[: count or None]


def interval(killed: int, count: int) -> str:
    """A share with Wilson's 95 % interval."""
    if not count:
        return "-"
    share, spread = killed / count, Z * Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * (share * (1 - share) / count + spread / 4 / count) ** 0.5
    return f"{share:.1%} [{middle - half:.1%}, {middle + half:.1%}]"


def tried(folder: Path, area: dict[str, Any], chosen: list[Chosen], results: Path) -> None:
    progress = os.fdopen(os.dup(2), "w", buffering=1)  # it is ours in processes whose own one is thrown away, too
    with results.open("a", encoding="utf-8") as out:

        def done(number: int, outcome: Outcome) -> None:
            module, mutant, digest = chosen[number]
            record = {
                "key": digest, "module": module, "line": mutant.line, "text": mutant.text, "before": mutant.before,
                "after": mutant.after, "outcome": outcome.outcome, "seconds": round(outcome.seconds, 2),
                "by": outcome.by,
            }  # fmt: skip
            print(json.dumps(record), file=out, flush=True)
            print(f"{module}:{mutant.line} {outcome.outcome} in {outcome.seconds:.2f} s", file=progress)

        warm = Warm(folder, area["tests"], area["modules"], area.get("without", ()))
        warm.run([(module, mutant) for module, mutant, _ in chosen], done)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("areas", nargs="*")
    parser.add_argument("--sample", type=int, default=0, help="mutants of an area; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="try survivors again")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutation.jsonl")
    args = parser.parse_args()
    areas = tomllib.loads((HERE / "areas.toml").read_text(encoding="utf-8"))
    args.results.parent.mkdir(exist_ok=True)
    total: Counter[str] = Counter()
    survivors = []
    for title in args.areas or areas:
        records = results_of(areas[title], args)
        total += (outcomes := Counter(record["outcome"] for record in records))
        survivors += [record for record in records if record["outcome"] == SURVIVED]
        print(f"{title:12} {row(outcomes)}", flush=True)
    print(f"{'all':12} {row(total)}\n")
    for record in survivors:
        print(f"{record['module']}:{record['line']} {record['text']}\n  - {record['before'][:200]}")
        print(f"  + {record['after'][:200]}")


def results_of(area: dict[str, Any], args: argparse.Namespace) -> list[dict[str, Any]]:
    """The results of an area's sample; mutants without one are tried. Survivors that are listed are equivalents."""
    known, same = read(args.results), equivalents()
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        copy_tree(folder)
        chosen = sample(folder, area["modules"], args.sample, args.seed)
        left = [
            item for item in chosen if item[2] not in known or (args.again and known[item[2]]["outcome"] == SURVIVED)
        ]
        if left:
            tried(folder, area, left, args.results)
    known = read(args.results)
    records = {digest: known[digest] for _, _, digest in chosen}
    for record in records.values():
        if record["outcome"] == SURVIVED and named(record) in same:
            record["outcome"] = EQUIVALENT
    return list(records.values())


def row(outcomes: Counter[str]) -> str:
    count = outcomes.total() - outcomes[EQUIVALENT]
    killed = count - outcomes[SURVIVED]
    return (
        f"{outcomes.total():4} mutants, {killed} killed ({outcomes['time']} by time), {outcomes[SURVIVED]} survived, "
        f"{outcomes[EQUIVALENT]} equivalent: {interval(killed, count)}"
    )


if __name__ == "__main__":
    main()
