"""One fault as it is written: what it does, and to which messages. The same line stands in the settings, in `b2bua fault add`
and in what `b2bua fault list` prints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

IN: Final = "in"
OUT: Final = "out"
REINVITE: Final = "re-INVITE"
"""In place of a method: an INVITE with a To tag."""

DROP: Final = "drop"
DELAY: Final = "delay"
DUPLICATE: Final = "duplicate"
ANSWER: Final = "answer"
CHALLENGE: Final = "challenge"
TAG: Final = "tag"
PAD: Final = "pad"
ACTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {DROP: "", DELAY: "seconds", DUPLICATE: "", ANSWER: "code", CHALLENGE: "", TAG: "", PAD: "bytes"}
)
"""Action → the key that it needs; "" where it needs none."""
ARGUMENT: Final = "argument"
"""The key that faults of features have alone."""
_OF_REQUESTS: Final = (ANSWER, CHALLENGE)
_ONLY_OF: Final[Mapping[str, str]] = MappingProxyType(
    {"seconds": DELAY, "code": ANSWER, "bytes": PAD, "stale": CHALLENGE}
)
"""Key → the one action that it belongs to."""
MAX_BYTES: Final = 65_507
"""What a datagram of IPv4 holds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to which messages; prints as it is read."""

    action: str
    user: str = ""
    """The phone at the other end, by the name that the trace has for it."""
    trunk: str = ""
    direction: str = ""
    """IN: to us; OUT: from us; "": either."""
    method: str = ""
    status: str = ""
    """Responses with this status, `180`, or of this class, `2xx`; "": requests, if there is a method, else everything."""
    nth: int = 1
    """The first message that it acts on, counted among those that it is for."""
    count: int = 1
    """On how many it acts, that one included; 0: on all that come."""
    chance: float = 1.0
    seed: int = 0
    """What makes the chances of one run those of the next."""
    seconds: float = 0.0
    code: int = 0
    bytes: int = 0
    stale: bool = False
    argument: str = ""
    """What the feature is told whose fault it is."""

    @property
    def is_own(self) -> bool:
        """Whether a feature has it, not this program itself."""
        return self.action not in ACTIONS

    @property
    def of_requests(self) -> bool:
        """Whether it answers requests, and touches no message on the wire."""
        return self.action in _OF_REQUESTS and self.direction != OUT

    def __str__(self) -> str:
        words = [self.action]
        for field in fields(self):
            value = getattr(self, field.name)
            needed = field.name == ACTIONS.get(self.action)
            if field.name != "action" and (value != field.default or needed):
                words.append(f"{field.name}={_written(field.name, value)}")
        return " ".join(words)


def parse_fault(text: str, own: Collection[str] | None = ()) -> Fault:
    """`drop method=NOTIFY user=6003 nth=2`; ValueError says in one line what is wrong. `own`: the names of features' faults;
    None: whoever takes it knows them (`check_own`)."""
    action, *pairs = text.split() or [""]
    if own is not None or not action.isidentifier():
        check_own(action, own or (), text)
    values: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in _READERS:
            near = get_close_matches(key, _READERS, 1, 0.0)[0]
            raise ValueError(f"fault {text!r}: unknown {key!r}; KEY=VALUE is wanted, the nearest key is {near!r}")
        if key in values:
            raise ValueError(f"fault {text!r}: {key} stands there twice")
        try:
            values[key] = _READERS[key](value)
        except ValueError as error:
            raise ValueError(f"fault {text!r}: {key}: {error}") from None
    _check(text, action, values)
    if "chance" in values:
        values.setdefault("count", 0)
    return Fault(action, **values)  # type: ignore[arg-type]  # each by its reader


def check_own(action: str, own: Collection[str], text: str) -> None:
    """ValueError, where neither this program nor a feature has such a fault."""
    if action not in ACTIONS and action not in own:
        feature = "" if action in ("", *ACTIONS) else ", nor has a feature in use a fault of this name"
        raise ValueError(f"fault {text!r}: {action!r} is none of {', '.join([*ACTIONS, *own])}{feature}")


def _check(text: str, action: str, values: Mapping[str, object]) -> None:
    """What does not go together."""
    if ARGUMENT in values and action in ACTIONS:
        raise ValueError(f"fault {text!r}: {ARGUMENT} belongs to faults of features")
    needed = ACTIONS.get(action)
    if needed and needed not in values:
        raise ValueError(f"fault {text!r}: {action} needs {needed}=")
    for key, owner in _ONLY_OF.items():
        if key in values and action != owner:
            raise ValueError(f"fault {text!r}: {key} belongs to {owner}")
    if action in _OF_REQUESTS and "status" in values:
        raise ValueError(f"fault {text!r}: {action} is for requests, which have no status")
    if action == CHALLENGE and values.get("direction") == OUT:
        raise ValueError(f"fault {text!r}: challenge is for requests to us")
    if values.get("method") == REINVITE and "status" in values:
        raise ValueError(f"fault {text!r}: {REINVITE} is for requests; a response names INVITE")
    if values.get("user") and values.get("trunk"):
        raise ValueError(f"fault {text!r}: one of user and trunk")


def _written(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "count" and value == 0:
        return "all"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _name(text: str) -> str:
    if not text:
        raise ValueError("a name is wanted")
    return text


def _direction(text: str) -> str:
    if text not in (IN, OUT):
        raise ValueError(f"{text!r} is none of in, out")
    return text


def _method(text: str) -> str:
    if text.upper() == REINVITE.upper():
        return REINVITE
    if not text.isascii() or not text.isalpha():
        raise ValueError(f"{text!r} is no method")
    return text.upper()


def _status(text: str) -> str:
    digits = text.lower().replace("x", "0")
    if len(text) != 3 or not digits.isdigit() or not 100 <= int(digits) <= 699 or text.lower()[1:] not in ("xx", text[1:]):
        raise ValueError(f"{text!r} is neither a status nor a class like 2xx")
    if "x" in text.lower() and text.lower()[1:] != "xx":
        raise ValueError(f"{text!r} is neither a status nor a class like 2xx")
    return text.lower()


def _within(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text) if text.replace(".", "", 1).isdigit() and text.isascii() else -1.0
        if not low <= value <= high:
            raise ValueError(f"{text!r} is not between {low:g} and {high:.0f}")
        return value

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1
        if not low <= value <= high:
            raise ValueError(f"{text!r} is not between {low} and {high}")
        return value

    return read


def _count(text: str) -> int:
    return 0 if text == "all" else _whole(1, 999_999_999)(text)


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r} is none of yes, no")
    return text == "yes"


_READERS: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {
        "user": _name, "trunk": _name, "direction": _direction, "method": _method, "status": _status,
        "nth": _whole(1, 999_999_999), "count": _count, "chance": _within(0, 1), "seed": _whole(0, 999_999_999),
        "seconds": _within(0, 3600), "code": _whole(200, 699), "bytes": _whole(1, MAX_BYTES), "stale": _yes,
        ARGUMENT: _name,
    }
)  # fmt: skip
"""Key → how its value is read; ValueError for a wrong one."""
