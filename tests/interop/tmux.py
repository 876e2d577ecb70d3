"""A terminal without a screen: tmux on a socket of its own, one program in it, seen as its user sees it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.interop.server import environment, wait_until

SECONDS = 10.0


class Terminal:
    """Runs `command` in a window of `width` by `height`; `ended STATUS` stands behind its output when it is over."""

    def __init__(self, directory: Path, command: Sequence[str], width: int, height: int) -> None:
        self._socket = directory / "tmux"
        self._environment = environment() | {"TERM": "screen-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        self._environment.pop("TMUX", None)
        script = f"{shlex.join(command)}; echo ended $?; exec sleep 120"
        self._tmux("new-session", "-d", "-x", str(width), "-y", str(height), "sh", "-c", script)

    def keys(self, *keys: str) -> None:
        """Keys by tmux's names; a text of several signs is typed."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """A text, then ENTER once it is on the screen: on a busy machine ENTER would overtake it."""
        self._tmux("send-keys", "-l", "--", text)
        self.until(text[-20:])
        self._tmux("send-keys", "Enter")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until(self, *texts: str, without: str = "") -> str:
        """The screen once it shows all these; fails with what it showed instead."""

        def shown() -> bool:
            screen = self.screen()
            return all(text in screen for text in texts) and not (without and without in screen)

        try:
            wait_until(f"{texts!r} on the screen", shown, SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen shows\n{self.screen()}") from None
        return self.screen()

    def close(self) -> None:
        """End the program, its shell and this tmux; no other."""
        with suppress(AssertionError):  # it has ended by itself
            self._end_program()
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, timeout=SECONDS, check=False)

    def _end_program(self) -> None:
        """It may outlive its terminal, and turn in circles then: sngrep does."""
        for shell in self._tmux("list-panes", "-F", "#{pane_pid}").split():
            for child in Path(f"/proc/{shell}/task/{shell}/children").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-f", os.devnull, "-S", str(self._socket), *arguments]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=SECONDS, env=self._environment, check=False)
        assert done.returncode == 0, f"tmux {arguments[0]}: {done.stderr}"
        return done.stdout
