"""The files of packages that the image is made of: complete, pinned by hash, without any address, and what the image takes."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.image.constraints import BUILDS, RUNS, normal, wanted

DOCKERFILE = (RUNS.parent / "Dockerfile").read_text(encoding="utf-8")
FILES = pytest.mark.parametrize("file", [RUNS, BUILDS], ids=lambda path: path.name)
ENTRY = re.compile(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def pins(file: Path) -> dict[str, str]:
    """Package → version."""
    return {name: version for name, version, _ in ENTRY.findall(file.read_text(encoding="utf-8"))}


def closure(requirements: list[str]) -> set[str]:
    """The packages that these need, by what those installed here say."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = normal(requirement.name)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            asked = any(needed.marker is None or needed.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras))
            if asked and normal(needed.name) not in found:
                waiting.append(needed)
        found.add(name)
    return found


@FILES
def test_every_package_is_pinned_by_hash(file: Path) -> None:
    """Nothing else stands there: no address, no option, no package without a hash."""
    text = "".join(line for line in file.read_text(encoding="utf-8").splitlines(keepends=True) if not line.startswith("#"))
    assert ENTRY.sub("", text) == "" and pins(file)


@FILES
def test_the_pins_are_what_pyproject_allows(file: Path) -> None:
    for requirement in map(Requirement, wanted()[file]):
        assert requirement.specifier.contains(pins(file)[normal(requirement.name)]), requirement


def test_nothing_that_the_server_needs_is_missing() -> None:
    assert closure(wanted()[RUNS]) <= set(pins(RUNS))


def test_the_image_takes_nothing_without_a_hash() -> None:
    """Each installation of packages is by hash, or of the one wheel that was made before."""
    commands = re.findall(r"-m pip [^&]*? install ([^&]*?)(?=&&|\n[A-Z#]|\Z)", DOCKERFILE.replace("\\\n", ""))
    assert len(commands) == 3
    for command in commands:
        assert "--no-deps" in command
        assert "--require-hashes -r constraints" in command or "--no-index /tmp/b2bua-*.whl" in command
