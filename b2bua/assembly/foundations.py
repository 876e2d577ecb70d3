"""What everything in a server stands on. Whatever the other files of this room make of settings, they make on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from b2bua.assembly.mistakes import Mistakes
from b2bua.config.settings import Settings
from b2bua.log.log import Log
from b2bua.observer import Observer
from b2bua.store.interface import Store
from b2bua.store.opening import open_mended
from b2bua.trace.recorder import Recorder
from b2bua.transaction.timers import Timers
from b2bua.transport.listener_set import ListenerSet


@dataclass(frozen=True, slots=True)
class Foundations:
    """Of one server, made before all else."""

    settings: Settings
    """Those that it was started with."""
    reactor: Any
    log: Log
    mistakes: Mistakes
    observer: Observer
    timers: Timers
    recorder: Recorder
    listeners: ListenerSet
    store: Store


def lay_foundations(settings: Settings, reactor: Any, log: Log, committed: Callable[..., object]) -> Foundations:
    """The reactor calls `committed` with what the store has to tell. StoreError when there is none to be had."""
    observer = Observer()
    mistakes = Mistakes(observer, log)
    recorder = Recorder(settings.trace, time.time, most_bytes=settings.trace_bytes)
    observer.trace, log.lost = recorder, partial(observer.write_failed, "log")
    tell, defer = partial(reactor.callFromThread, committed), partial(reactor.callLater, 0)
    return Foundations(
        settings=settings,
        reactor=reactor,
        log=log,
        mistakes=mistakes,
        observer=observer,
        timers=Timers(time.monotonic, mistakes.of("timer")),
        recorder=recorder,
        listeners=ListenerSet(time.monotonic, log),
        store=open_mended(settings.store, settings.domain, tell, settings.durability, log, defer),
    )
