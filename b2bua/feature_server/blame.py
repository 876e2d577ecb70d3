"""Which feature a mistake is of: for the log and for metrics, by the name that the configuration has for it."""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.feature import FILE_MODULE, Feature
from b2bua.sip.errors import SipError

_NOTE: Final = "in feature "
_REFUSES: Final = "feature {}: refuses, {} {}"


def name_of(feature: object) -> str:
    """The name of a feature, or of a class of one: its module's."""
    made = feature if isinstance(feature, type) else type(feature)
    return made.__module__.rpartition(".")[2].removeprefix(FILE_MODULE)


def blame(error: BaseException, hook: object) -> None:
    """Note in an exception which feature's hook it came out of; the innermost that is noted stays."""
    feature = getattr(hook, "__self__", None)
    if isinstance(feature, Feature) and not feature_of(error):
        error.add_note(f"{_NOTE}{name_of(feature)}")
        if isinstance(error, SipError):
            error.why = (error.why, _REFUSES, name_of(feature), error.status, error.reason)


def feature_of(error: BaseException) -> str:
    """The feature that an exception came out of; "" for any other mistake."""
    for note in getattr(error, "__notes__", ()):
        if note.startswith(_NOTE):
            return str(note[len(_NOTE) :])
    return ""
