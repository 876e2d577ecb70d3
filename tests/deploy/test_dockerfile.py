"""deploy/Dockerfile: clean by hadolint, and what it promises. The image itself is tried by `make image`."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sysconfig.get_path("scripts")) / "hadolint"
    return subprocess.run([program, "--no-color", path], capture_output=True, text=True, timeout=20, check=False)


def test_hadolint_has_nothing_to_say() -> None:
    done = hadolint(DOCKERFILE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hadolint_would_speak_up(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\n")
    assert hadolint(bad).returncode != 0


def test_it_ends_without_rights_and_watches_readiness() -> None:
    """The last stage counts: its user is a number, so that an orchestrator can tell that it is not root."""
    *_, last = DOCKERFILE.read_text(encoding="utf-8").split("\nFROM ")
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001"]
    assert "/readyz" in last.partition("HEALTHCHECK")[2]
    assert "5060/udp 5060/tcp 8080/tcp" in last


def test_only_what_is_listed_goes_into_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    copied = set(re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {name for names in copied for name in names.split()}
    assert {line[1:] for line in lines if line.startswith("!")} == wanted
