"""What we did wrong ourselves, a feature's mistakes too: it is logged, with the call and the method that brought it up."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.feature_server.blame import feature_of
from b2bua.log.events import Say
from b2bua.observer import Observer
from b2bua.sip.message import Message, Request


class Mistakes:
    """Of one process."""

    def __init__(self, observer: Observer, log: Say) -> None:
        self._observer = observer
        self._log = log

    def failed(self, error: BaseException, message: Message | None = None) -> None:
        """Whoever calls this has counted it."""
        call_id = message.get("Call-ID") if message is not None else None
        what = message.method if isinstance(message, Request) else None
        feature = {"feature": name} if (name := feature_of(error)) else {}
        self._log("internal_error", call=call_id, method=what, **feature, exception=error)

    def of(self, where: str) -> Callable[[BaseException], None]:
        """Hears of those of a part that no message passes (`timer`, `resolver`), and counts them under this name."""

        def failed(error: BaseException) -> None:
            self._observer.internal_error(where)
            self.failed(error)

        return failed
