"""docker-compose.yml as Compose itself reads it: its `config` needs no engine."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = "docker-compose.yml"
HOST_FILE: Final = "deploy/docker-compose.host.yml"


def compose(*arguments: str, files: tuple[str, ...] = (FILE,), **environment: str) -> subprocess.CompletedProcess[str]:
    """`docker compose -f … ARGUMENTS` with these variables alone, so that neither ours nor a .env count."""
    program = Path(sysconfig.get_path("scripts")) / "docker-compose"
    named = [word for file in files for word in ("-f", file)]
    return subprocess.run(
        [program, "--env-file", os.devnull, *named, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20,
        check=False, env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
    )  # fmt: skip


def services(files: tuple[str, ...] = (FILE,), **environment: str) -> dict[str, dict[str, Any]]:
    """Service → what it says, with the variables put in."""
    done = compose("config", "--format", "json", files=files, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found
