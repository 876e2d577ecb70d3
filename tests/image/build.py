"""Builds deploy/Dockerfile where there is no Docker engine: `python -m tests.image.build`, as root on Debian.

The base image is made here from Debian's own packages and committed under the name that the Dockerfile asks for; then
buildah builds in a chroot. Everything lies in build/image; the base is made once, `rm -r build/image` starts afresh.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
WORK: Final = ROOT / "build" / "image"
TAG: Final = "localhost/b2bua"
TEMPORARY: Final = WORK / "tmp"
"""The build's /tmp: the wheel of the image is left there, so that the same one can be tested outside."""
BASE_PACKAGES: Final = "python3,python3-venv,python3-pip,libpython3-dev,ca-certificates"
"""What the official image has as well, Python's headers included; a compiler it has not."""
HOST_SETTINGS: Final = ("/etc/ssl/certs", "/etc/xdg/pip", "/etc/pip.conf", "/etc/apt")
"""What pip and apt inside need to find their packages as outside; mounted while it builds, not part of the image."""
SECONDS: Final = 900


@dataclass(frozen=True)
class Image:
    """What the image says about how it is to be run."""

    user: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: dict[str, str]
    directory: str
    volumes: tuple[str, ...]
    ports: frozenset[str]
    stop_signal: str
    health: tuple[str, ...]
    """The command of its health check."""
    size: int
    """Bytes, the base included."""


def buildah(*arguments: str, log: Path | None = None) -> str:
    """Run buildah on our own storage; its standard output, or "" when it goes to `log`."""
    storage = ["--root", str(WORK / "storage"), "--runroot", str(WORK / "run"), "--storage-driver", "vfs"]
    return run("buildah", *storage, *arguments, log=log)


def run(*command: str, log: Path | None = None) -> str:
    """A command's standard output; SystemExit with the end of what it said when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if log else None,
        text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if log:
        log.write_text(done.stdout)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise SystemExit(f"{tail}\n{' '.join(command[:3])} … ended with {done.returncode}")
    return "" if log else done.stdout


def base_name() -> str:
    """The one base image that the Dockerfile names, in full."""
    names = set(re.findall(r"^FROM (\S+:\S+)", DOCKERFILE.read_text(), re.MULTILINE))
    assert len(names) == 1, names
    return f"docker.io/library/{names.pop()}"


def make_base(name: str) -> None:
    """A root file system of the host's own distribution with Python, committed as `name`; nothing if it is there."""
    if name in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        return
    tree = WORK / "base"
    shutil.rmtree(tree, ignore_errors=True)
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    print(f"base file system of {suite}", flush=True)
    run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", suite, str(tree), log=WORK / "debootstrap.log")
    for left in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(tree / left)
    (tree / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    container = buildah("from", "scratch").strip()
    buildah("add", "--quiet", container, str(tree), "/")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    buildah("config", "--env", f"PATH={path}", "--cmd", "python3", container)
    buildah("commit", "--quiet", "--format", "docker", "--rm", container, name)
    shutil.rmtree(tree)


def build() -> None:
    """The image `TAG`, from the files as they are now."""
    print(f"image of {DOCKERFILE.relative_to(ROOT)}", flush=True)
    buildah("rmi", "--prune")
    shutil.rmtree(TEMPORARY, ignore_errors=True)
    TEMPORARY.mkdir()
    TEMPORARY.chmod(0o1777)
    mounts = [f"--volume={path}:{path}:ro" for path in HOST_SETTINGS if Path(path).exists()]
    mounts.append(f"--volume={TEMPORARY}:/tmp")
    options = ["--isolation", "chroot", "--pull-never", "--format", "docker", "--layers=false"]
    buildah("bud", *options, *mounts, "-f", str(DOCKERFILE), "-t", TAG, str(ROOT), log=WORK / "build.log")


def inspect() -> Image:
    """What was built, in its own words."""
    told = json.loads(buildah("inspect", "--type", "image", TAG))
    config: dict[str, Any] = told["Docker"]["config"]
    kind, *health = config["Healthcheck"]["Test"]
    assert kind == "CMD", "the health check is no plain command"
    return Image(
        user=config["User"],
        entrypoint=tuple(config["Entrypoint"]),
        command=tuple(config["Cmd"]),
        environment=dict(pair.split("=", 1) for pair in config["Env"]),
        directory=config["WorkingDir"],
        volumes=tuple(config["Volumes"]),
        ports=frozenset(config["ExposedPorts"]),
        stop_signal=config["StopSignal"],
        health=tuple(health),
        size=sum(layer["size"] for layer in json.loads(told["Manifest"])["layers"]),
    )


def main() -> int:
    if os.geteuid() != 0:
        print("root is needed to make and enter a root file system", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    make_base(base_name())
    build()
    print(f"{TAG}: {inspect().size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
