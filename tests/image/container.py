"""A container without an engine: the image's root file system, read-only, in namespaces of its own, run as its user.

As docker-compose.yml has it: the root read-only, the volume and /tmp writable, process 1, no way to more rights, no
environment but the image's and Compose's. The network is the caller's.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final

from tests.image.build import TAG, Image, buildah
from tests.interop.server import NotReached, Server, wait_until

START_SECONDS: Final = 20.0
EXEC_SECONDS: Final = 20.0

_ENTER: Final = """\
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --bind "$2" "$1$3"
mount -t tmpfs tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
shift 3
exec "$@"
"""
"""Arguments: root, the volume's directory, where it goes, then the command."""


class Root:
    """The image's root file system while it is mounted; its owner unmounts it."""

    def __init__(self) -> None:
        self._container = buildah("from", "--pull-never", TAG).strip()
        self.path = Path(buildah("mount", self._container).strip())

    def close(self) -> None:
        buildah("rm", self._container)


class Container(Server):
    """`docker run` with the image's own command; what a `Server` tells, and `execute` beside it."""

    def __init__(
        self, image: Image, root: Path, directory: Path, environment: dict[str, str], host: str,
        port: int = 5060, http_port: int = 8080,
    ) -> None:  # fmt: skip
        self.image = image
        self.host = self.http_host = host
        self.port = port
        self.http_port = http_port
        self.know({})
        self.directory = directory
        self.log = directory / "server.log"
        self.environment = image.environment | environment
        self._owner = root.joinpath(image.volumes[0].lstrip("/")).stat()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._argv(root), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until("server ready", self._ready, START_SECONDS)
        except BaseException:
            self.kill()
            print(self.log_text())
            raise

    def _argv(self, root: Path) -> list[str]:
        [target] = self.image.volumes
        volume = self.directory / "volume"
        if not volume.exists():  # as an engine does it: a new volume takes owner and mode from the image
            volume.mkdir()
            os.chown(volume, self._owner.st_uid, self._owner.st_gid)
            volume.chmod(self._owner.st_mode & 0o777)
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--ipc", "--uts"]
        enter = ["sh", "-c", _ENTER, "enter", str(root), str(volume), target]
        user = ["setpriv", "--no-new-privs", "chroot", f"--userspec={self.image.user}", str(root)]
        return [*namespaces, *enter, *user, *self._inside(*self.image.entrypoint, *self.image.command)]

    def _inside(self, *command: str) -> list[str]:
        """The command in the image's directory with the container's environment."""
        pairs = [f"{name}={value}" for name, value in self.environment.items()]
        return ["/usr/bin/env", "-i", "-C", self.image.directory, *pairs, *command]

    def know(self, users: dict[str, str]) -> None:
        """Whose phones can be made: name → password."""
        self.users = users
        self._next_user = iter(users)

    @property
    def pid(self) -> int:
        """The server's own process, as this side sees it: the one child of `unshare`."""
        children = self._children()
        if len(children) != 1:
            raise NotReached(f"the container has ended: {self.log_text()[-500:]}")
        return children[0]

    def _children(self) -> list[int]:
        return [int(word) for word in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def execute(self, *command: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """`docker exec`: a command beside the server, as the same user."""
        user, group = str(self._owner.st_uid), str(self._owner.st_gid)
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root", "--setuid", user, "--setgid", group]
        more = [f"{name}={value}" for name, value in environment.items()]
        return subprocess.run(
            [*enter, *self._inside("env", *more, *command)], input=text, capture_output=True, text=True, timeout=EXEC_SECONDS,
            check=False,
        )  # fmt: skip

    def shell(self, line: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """`execute` with the words of a line as a document has it."""
        return self.execute(*shlex.split(line), text=text)

    def stop(self) -> int:
        """The image's stop signal to the server; its exit status."""
        os.kill(self.pid, signal.Signals[self.image.stop_signal])
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotReached("the server still runs 5 s after its stop signal") from None

    def kill(self) -> None:
        """Process 1 first: `unshare` would leave it behind, and its `--kill-child` ends with the change of user."""
        if self.process.poll() is None:
            for child in self._children():
                os.kill(child, signal.SIGKILL)
        super().kill()

    def is_open(self, port: int) -> bool:
        """Whether a TCP port accepts."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.host, port)) == 0
