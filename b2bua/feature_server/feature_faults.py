"""The faults on purpose that features bring: `Feature.faults`, and who is asked when one strikes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from b2bua.feature_server.blame import blame, name_of
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.strike import Effect, Strike
from b2bua.observer import Observer
from b2bua.sip.message import Message

BUILT_IN: Final = ("drop", "delay", "duplicate", "answer", "challenge", "tag", "pad")
"""What a fault can be without any feature: no feature's fault is called so."""


def check_faults(features: Iterable[type[Feature]]) -> None:
    """ValueError, a sentence, when these features cannot have faults of these names."""
    known: set[str] = set()
    for feature in features:
        for name in feature.faults:
            if not name.isidentifier() or not name.isascii():
                raise ValueError(f"{name_of(feature)}: {name!r} is no name for a fault: letters, digits and _")
            if name in BUILT_IN:
                raise ValueError(f"{name_of(feature)}: {name} is a fault of the program itself")
            if name in known:
                raise ValueError(f"{name}: two features have a fault of this name")
            known.add(name)


class FeatureFaults:
    """The faults of the features in use: after a reload those of the new ones."""

    def __init__(
        self, features: Callable[[], Sequence[Feature]], observer: Observer,
        failed: Callable[[BaseException, Message | None], None],
    ) -> None:  # fmt: skip
        self._features = features
        self._observer = observer
        self._failed = failed

    def names(self) -> list[str]:
        """All of them."""
        return [name for feature in self._features() for name in feature.faults]

    def strike(self, strike: Strike) -> Effect:
        """What the feature makes of the message: nothing where it raises, which is logged and counted."""
        feature = next((one for one in self._features() if strike.fault in one.faults), None)
        if feature is None:
            return strike.message
        try:
            return feature.message_struck(strike)
        except Exception as error:  # a mistake of the feature's: the message goes as it would have
            self.failed(error, strike)
            return strike.message

    def failed(self, error: Exception, strike: Strike) -> None:
        """The feature that has this fault is to blame."""
        for feature in self._features():
            if strike.fault in feature.faults:
                blame(error, feature.message_struck)
                self._observer.feature_failed(name_of(feature), "raised")
        self._failed(error, strike.message)
