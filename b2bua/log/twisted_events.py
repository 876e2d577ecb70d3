"""Twisted's own log becomes ours: what listeners tell through it, and what nobody has caught."""

# mypy: allow-untyped-calls
from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogBeginner
from zope.interface import implementer

from b2bua.log.events import EVENTS
from b2bua.log.log import Log


def take_over(log: Log) -> None:
    """From now on Twisted's log goes to `log`, nowhere else. Once in a process."""
    globalLogBeginner.beginLoggingTo([TwistedEvents(log)], discardBuffer=True, redirectStandardIO=False)


@implementer(ILogObserver)
class TwistedEvents:
    """One event of Twisted's log at a time; of those that are not ours only errors matter."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __call__(self, event: LogEvent) -> None:
        name, failure = event.get("log_format") or "", event.get("log_failure")
        error = None if failure is None else failure.value
        if name in EVENTS:
            fields = {field: event[field] for field in EVENTS[name].fields if field in event}
            self._log(name, exception=error, **fields)
        elif event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self._log("unhandled_error", text=name or str(event.get("log_text", "")), exception=error)
