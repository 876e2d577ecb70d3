"""Renews deploy/constraints*.txt: `python -m tests.image.constraints`, as `make constraints` does.

What the image is made of, and what makes it: each package with its version and the hashes of its wheels for the Pythons and
machines of `TARGETS`. No address is in it: where packages come from is pip's own setting. They are two files, as pip takes
hashes from a file of requirements alone (`--require-hashes -r`): beside a constraint with a hash it refuses a directory.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from itertools import product
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
RUNS: Final = ROOT / "deploy" / "constraints.txt"
"""What the server needs."""
BUILDS: Final = ROOT / "deploy" / "constraints-build.txt"
"""What compiles it, and stays in the first stage."""
PYTHONS: Final = ("3.11", "3.12")
"""Of the base image, and of the one that tests/image/build.py makes of Debian."""
MACHINES: Final = ("x86_64", "aarch64")
PLATFORMS: Final = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
TARGETS: Final = tuple(product(PYTHONS, MACHINES))
HEAD: Final = """\
# The image takes these files and no others. Made by `make constraints`, for Python {pythons} on {machines}.
"""
Pins = dict[str, tuple[str, set[str]]]
"""Package → version and SHA-256 of its wheels."""


def wanted() -> dict[Path, list[str]]:
    """The requirements of pyproject.toml, and those of a compiled build with what makes a wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    mypy = next(line for line in project["project"]["optional-dependencies"]["check"] if line.startswith("mypy=="))
    return {RUNS: project["project"]["dependencies"], BUILDS: [*project["build-system"]["requires"], "wheel", mypy]}


def resolve(requirements: list[str], python: str, machine: str) -> dict[str, tuple[str, str]]:
    """Package → version and hash of the wheel that pip would take there."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run"]
        argv += ["--ignore-installed", "--report", str(report), "--target", directory, "--only-binary=:all:"]
        argv += ["--implementation", "cp", "--python-version", python]
        argv += [f"--platform={name}_{machine}" for name in PLATFORMS]
        subprocess.run([*argv, *requirements], check=True, timeout=600)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    pins = {}
    for each in found:
        kind, _, digest = each["download_info"]["archive_info"]["hash"].partition("=")
        assert kind == "sha256", each
        pins[normal(each["metadata"]["name"])] = each["metadata"]["version"], digest
    return pins


def normal(name: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def text_of(pins: Pins) -> str:
    lines = [HEAD.format(pythons=" and ".join(PYTHONS), machines=" and ".join(MACHINES))]
    for name, (version, digests) in sorted(pins.items()):
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(digests))
        lines.append(f"{name}=={version}{hashes}\n")
    return "".join(lines)


def renew(file: Path, requirements: list[str]) -> None:
    pins: Pins = {}
    for python, machine in TARGETS:
        for name, (version, digest) in resolve(requirements, python, machine).items():
            known, digests = pins.setdefault(name, (version, set()))
            assert known == version, f"{name}: {known} and {version}"
            digests.add(digest)
        requirements = [f"{name}=={version}" for name, (version, _) in pins.items()]  # the same versions everywhere
    file.write_text(text_of(pins), encoding="utf-8")
    print(f"{file.relative_to(ROOT)}: {len(pins)} packages for {len(TARGETS)} targets")


def main() -> None:
    for file, requirements in wanted().items():
        renew(file, requirements)


if __name__ == "__main__":
    main()
