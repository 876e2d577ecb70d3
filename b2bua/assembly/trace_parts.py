"""The upkeep of the trace: its bound by octets, and where that is wanted the file that keeps it over a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Final

from b2bua.config.addresses import host_port_text
from b2bua.config.settings import Settings
from b2bua.http.other_servers import OtherServers
from b2bua.log.events import Say
from b2bua.store.trace_keeper import TraceKeeper
from b2bua.trace.http_client import Address, TokenFor
from b2bua.trace.kept import Tail, recorder_of
from b2bua.trace.recorder import Recorder
from b2bua.trace.servers import Server
from b2bua.trace.since import seconds_in

UPKEEP: Final = 0.2
"""Seconds between two looks: a second's messages are far fewer than the ring holds."""

ReadKept = Callable[[float], "Future[Recorder]"]
"""From a time (Unix seconds) on: a recorder that holds what was kept. The future fails with OSError or sqlite3.Error."""


def others_of(settings: Settings, own_token: TokenFor) -> OtherServers | None:
    """The servers that the console shows with this one, which is called `here`; None where there are none. `own_token` is what
    this one is shown."""
    if not settings.trace_servers:
        return None
    words = [text.partition(" ") for text in settings.trace_servers]
    host, port = settings.http
    ours = Server("here", Address(f"http://{host_port_text(host, port)}", "", own_token))
    return OtherServers(ours, [Server(word.partition("=")[0], Address(word.partition("=")[2], file)) for word, _, file in words])


class TraceUpkeep:
    """Looks after one recorder, on the reactor's thread."""

    def __init__(self, recorder: Recorder, reactor: Any, settings: Settings, log: Say) -> None:
        """Of the server whose trace is kept as the settings say."""
        self._recorder, self._reactor = recorder, reactor
        self._call: Any = None
        self._keeper: TraceKeeper | None = None
        self._tail: Tail | None = None
        keep = seconds_in(settings.trace_keep) if settings.trace_keep else 0.0
        if keep:
            told = partial(reactor.callFromThread, self._told)
            path = Path(settings.trace_file)
            self._keeper = TraceKeeper(path, keep, settings.trace_keep_bytes, time.time, told, log)
            self._tail = Tail(recorder, self._keeper.put)

    @property
    def read(self) -> ReadKept | None:
        """None where nothing is kept."""
        return None if self._keeper is None else self._read

    def start(self) -> None:
        self._call = self._reactor.callLater(UPKEEP, self.start)
        self._look()

    def stop(self) -> None:
        """Write what there is, for two seconds at most."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._keeper is not None:
            self._look()
            self._keeper.close()

    def _look(self) -> None:
        if self._tail is not None:
            self._tail.hand_on()
        self._recorder.trim()

    def _read(self, since: float) -> Future[Recorder]:
        assert self._keeper is not None, "only asked where something is kept"
        self._look()
        return self._keeper.read(since, partial(recorder_of, role=self._recorder.role))

    def _told(self, ok: bool, lost: int) -> None:
        self._recorder.keeps = ok
        self._recorder.dropped += lost
