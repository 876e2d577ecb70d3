"""A process of ours from its start to its end: the log, the collector, the signals, the reactor. Services run in it."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import twisted
from twisted.internet.defer import DeferredList
from twisted.internet.error import CannotListenError

import b2bua
from b2bua import __version__
from b2bua.config.addresses import host_port_text
from b2bua.config.settings import ConfigError, Settings
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.loader import LoadError
from b2bua.log.log import Log
from b2bua.log.twisted_events import take_over
from b2bua.observer import Observer
from b2bua.pauses import CollectorPauses, QuietCollector
from b2bua.watchdog import LOOK_SECONDS, Watchdog

COLLECT_SECONDS: Final = 1.0
"""How often it is looked whether garbage may be collected."""
_OF_CALLS: Final = ("INVITE", "BYE", "CANCEL", "UPDATE")
LOCK_SECONDS: Final = 0.0005
"""How long the store's thread waits for Python's lock beside a busy reactor, at each step of a statement; Python's own 5 ms
would be the delay of every answer that waits for a commit."""
MAX_FILES: Final = 65_536
"""Open files that the process asks for, as far as it may."""
STOP_SECONDS: Final = 3.0
"""After so long whatever still hangs is left: by then nothing can be lost any more."""


class Service(Protocol):
    """What a process runs."""

    observer: Observer
    settings: Settings

    def features(self) -> Sequence[Feature]:
        """Those that new calls get."""

    def start(self) -> None:
        """Open what is to be open; ConfigError, StoreError or OSError when that cannot be."""

    def hangup(self) -> None:
        """SIGHUP came."""

    def describe(self) -> str:
        """What it listens on, for the ready line."""

    def stop(self) -> list[Any]:
        """Close everything; the Deferreds to wait for."""


def run_process(name: str, settings: Settings, make: Callable[[Any, Log], Service]) -> int:
    """Run `make(reactor, log)` until SIGTERM or SIGINT; the exit status. ConfigError, StoreError: it could not start."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold HA1s and keys
    log = Log(sys.stderr, time.time, time.monotonic, reactor.callFromThread, settings.log_format, settings.log_levels)
    take_over(log)
    try:
        service = make(reactor, log)
        service.start()
    except LoadError as error:
        raise ConfigError(f"{error.key}: {error}") from None
    _take_over_collection(reactor, service)
    _raise_file_limit()
    sys.setswitchinterval(LOCK_SECONDS)
    CollectorPauses(service.observer, time.monotonic).watch()
    _watch_features(reactor, service, log)
    for number in (signal.SIGTERM, signal.SIGINT):  # before the ready line: whoever reads that may stop us at once
        signal.signal(number, lambda *_: reactor.callFromThread(_stop, reactor, service))
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(service.hangup))
    what = service.describe()
    log.announce(f"{name} {__version__} ready: {what}", "ready", name=name, version=__version__, open=what)
    reactor.run(installSignalHandlers=False)
    return 0


def listen_http(reactor: Any, address: tuple[str, int], site: Any) -> Any:
    """Open the HTTP listener; ConfigError when the address cannot be had."""
    host, port = address
    try:
        return reactor.listenTCP(port, site, interface=host)
    except CannotListenError as error:
        reason = getattr(error.socketError, "strerror", None) or error.socketError
        raise ConfigError(f"http: {host_port_text(host, port)}: {reason}") from None


def bound(http: Any) -> tuple[str, int]:
    """Where an HTTP listener listens; the port is the real one even where 0 was asked for."""
    address = http.getHost()
    return address.host, address.port


def _stop(reactor: Any, service: Service) -> None:
    waiting = DeferredList(service.stop(), consumeErrors=True)
    waiting.addCallback(lambda _: reactor.stop() if reactor.running else None)
    reactor.callLater(STOP_SECONDS, lambda: os._exit(0))


def _take_over_collection(reactor: Any, service: Service) -> None:
    """What is alive after start stays alive: it is never looked at; the rest when it is quiet, and not for long."""
    begun = time.monotonic()
    gc.collect()
    frozen = sys.getallocatedblocks()
    pace = (time.monotonic() - begun) / max(frozen, 1)  # 0 where Python was told to use another allocator
    gc.freeze()
    gc.disable()
    requests = service.observer.requests

    def activity() -> int:
        return sum(number for (_, method, _), number in requests.items() if method in _OF_CALLS)

    collector = QuietCollector(activity, gc.collect, lambda: sys.getallocatedblocks() - frozen, pace, time.monotonic)

    def look() -> None:
        reactor.callLater(COLLECT_SECONDS, look)
        collector.look()

    look()


def _watch_features(reactor: Any, service: Service, log: Log) -> None:
    core = [Path(str(module.__file__)).parent for module in (b2bua, twisted)]
    limit = service.settings.feature_seconds
    watchdog = Watchdog(service.features, limit, core, service.observer, log)

    def turn() -> None:
        reactor.callLater(LOOK_SECONDS, turn)
        watchdog.turned()

    watchdog.start()
    turn()
    reactor.addSystemEventTrigger("during", "shutdown", watchdog.stop)


def _raise_file_limit() -> None:
    """Each TCP connection is an open file, and many systems allow 1,024 unless asked for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
