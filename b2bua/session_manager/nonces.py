"""Nonces that prove themselves: made without a table, read by key, never used twice (RFC 7616 §3.3, §3.4, §5.4).

A nonce is base64 of 30 bytes: time of issue in ms (6), serial (6), CSeq of the request that it answered (4), keyed hash
of that request's Call-ID and From tag (6), MAC over all of it (8). State is made only after a right digest. It stands
in two generations of a dict that change places every `lifetime`, so that nothing needs a timer of its own.
"""

from __future__ import annotations

from array import array
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, Literal, NamedTuple

Outcome = Literal["ok", "stale", "replay"]

WINDOW: Final = 64
"""How far below the highest nc an unseen one still passes: more than one phone ever has under way over UDP."""

NO_NC: Final = 2**32 + WINDOW + 1
"""Stands for the nc of credentials without qop. It lies above every nc by more than the window: none passes after."""

GENERATION = 131_072
"""Weight that one generation holds; of two, some 45 MB. Past it the older one goes early and the nonces made before it
closed become stale. Filled by 4,000 right digests a second, more than a process answers, a nonce still lives 32 s."""

WINDOW_WEIGHT: Final = 4
"""A window of nc takes about four times the memory of a first use."""

_SIZE: Final = 30
_LENGTH: Final = 40
_MAC: Final = 8
_BINDING: Final = 6
_SLOTS: Final = WINDOW + 1
_MARK: Final = 2**64 - 1


class Nonce(NamedTuple):
    """What one of our nonces says."""

    issued: int
    """Milliseconds on the wall clock that was handed in."""
    serial: int
    """Rises by one with each nonce made under the key: the name of the nonce in the state."""
    cseq: int
    """CSeq number of the request that it answered."""
    binding: bytes
    """Keyed hash of that request's Call-ID and From tag."""


class NcWindow:
    """The nc values seen of one nonce, from the highest down to 64 below it, each with the mark of its request."""

    __slots__ = ("highest", "marks")

    def __init__(self, nc: int, mark: int) -> None:
        self.highest = nc
        self.marks = array("Q", bytes(8 * _SLOTS))
        """At nc modulo its length; 0 = not seen."""
        self.marks[nc % _SLOTS] = mark

    def knows(self, nc: int, mark: int) -> bool:
        """Whether the very request with this mark was seen with this nc."""
        return 0 <= self.highest - nc <= WINDOW and self.marks[nc % _SLOTS] == mark

    def admits(self, nc: int) -> bool:
        """Whether nc is new, and at most 64 below the highest."""
        return nc > self.highest or (self.highest - nc <= WINDOW and not self.marks[nc % _SLOTS])

    def add(self, nc: int, mark: int) -> None:
        """Keep an nc that `admits` let pass."""
        if nc > self.highest + WINDOW:
            self.marks = array("Q", bytes(8 * _SLOTS))
        else:
            for passed_over in range(self.highest + 1, nc + 1):
                self.marks[passed_over % _SLOTS] = 0
        self.highest = max(nc, self.highest)
        self.marks[nc % _SLOTS] = mark


class Nonces:
    """Makes, reads and uses up nonces.

    `key` (16 to 64 bytes) belongs to this process and this start alone: with a new key a nonce whose state is gone is
    not ours and so answers stale, never twice. `wall` gives seconds; it may jump, replay protection stands on serials.
    `lifetime` is in seconds.
    """

    def __init__(self, key: bytes, wall: Callable[[], float], lifetime: float) -> None:
        self._wall = wall
        self._lifetime = int(lifetime * 1000)
        # Hash states with the key already in them: a copy is cheaper than keying anew.
        self._mac = blake2b(key=key, digest_size=_MAC, person=b"nonce")
        self._binding = blake2b(key=key, digest_size=_BINDING, person=b"dialog")
        self._marks = blake2b(key=key, digest_size=8, person=b"request")
        self._serial = 0
        # A first use is one int (nc << 64 | mark), which the garbage collector never visits.
        self._current: dict[int, int | NcWindow] = {}
        self._previous: dict[int, int | NcWindow] = {}
        self._opened = self.now()
        self._room = GENERATION
        self._closed_at = 0
        """Serial of the last nonce made when `_previous` closed: nothing in there has a higher one."""
        self._floor = 0
        """Nonces up to this serial are stale: state about them may be gone."""

    def __len__(self) -> int:
        """Nonces that state is kept of."""
        return len(self._current) + len(self._previous)

    def now(self) -> int:
        """The wall clock in whole milliseconds."""
        return int(self._wall() * 1000)

    def make(self, call_id: str, from_tag: str, cseq: int) -> str:
        """A new nonce for the challenge of the request with these values."""
        now = self.now()
        self._rotate(now)
        self._serial = serial = self._serial + 1
        head = (now << 80 | serial << 32 | cseq).to_bytes(16, "big") + self._bind(call_id, from_tag)
        mac = self._mac.copy()
        mac.update(head)
        return b2a_base64(head + mac.digest(), newline=False).decode("ascii")

    def read(self, nonce: str) -> Nonce | None:
        """What a nonce says, or None when it was not made under our key."""
        if len(nonce) != _LENGTH:
            return None
        try:
            # Strict, so that no second spelling of a nonce exists (RFC 4648 §3.3, §12).
            raw = a2b_base64(nonce, strict_mode=True)
        except (Error, ValueError):
            return None
        if len(raw) != _SIZE:
            return None
        mac = self._mac.copy()
        mac.update(raw[:-_MAC])
        if not compare_digest(mac.digest(), raw[-_MAC:]):
            return None
        head = int.from_bytes(raw[:16], "big")
        return Nonce(head >> 80, head >> 32 & 0xFFFF_FFFF_FFFF, head & 0xFFFF_FFFF, raw[16 : 16 + _BINDING])

    def age(self, nonce: Nonce) -> float:
        """Seconds since it was made; negative when the clock was set back."""
        return (self.now() - nonce.issued) / 1000

    def bound(self, nonce: Nonce, call_id: str, from_tag: str) -> bool:
        """Whether the nonce answered a request with this Call-ID and From tag."""
        return nonce.binding == self._bind(call_id, from_tag)

    def mark(self, call_id: str, from_tag: str, cseq: int, uri: str, response: str, body: bytes) -> int:
        """The mark by which an identical copy of a request is known again: a keyed hash of these, never 0."""
        marks = self._marks.copy()
        marks.update(f"{call_id}\n{from_tag}\n{cseq}\n{uri}\n{response}\n".encode("utf-8", "surrogateescape") + body)
        return int.from_bytes(marks.digest(), "big") or 1

    def use(self, nonce: Nonce, nc: int, mark: int, first_only: bool = False) -> Outcome:
        """Use a nonce with an nc (or `NO_NC`); to be called only after a right digest, for this makes state.

        `ok`: never used with this nc, or an identical copy of the request that used it. `stale`: too old. `replay`: nc
        seen or too low; with `first_only` any use but the nonce's first.
        """
        now = self.now()
        self._rotate(now)
        serial = nonce.serial
        if not 0 <= now - nonce.issued <= self._lifetime or serial <= self._floor:
            return "stale"
        seen = self._current.get(serial)
        if seen is None:
            seen = self._previous.get(serial)
        if seen is None:
            self._keep(now, serial, nc << 64 | mark, 1)
            return "ok"
        if isinstance(seen, int):
            if seen == nc << 64 | mark:
                return "ok"
            if first_only:
                return "replay"
            return self._widen(now, serial, seen, nc, mark)
        if seen.knows(nc, mark):
            return "ok"
        if first_only or not seen.admits(nc):
            return "replay"
        seen.add(nc, mark)
        return "ok"

    def _widen(self, now: int, serial: int, seen: int, nc: int, mark: int) -> Outcome:
        """The second use of a nonce: from now on it has a window."""
        window = NcWindow(seen >> 64, seen & _MARK)
        if not window.admits(nc):
            return "replay"
        window.add(nc, mark)
        self._previous.pop(serial, None)
        self._keep(now, serial, window, WINDOW_WEIGHT)
        return "ok"

    def _keep(self, now: int, serial: int, entry: int | NcWindow, weight: int) -> None:
        if self._room < weight:
            self._close(now)
        self._room -= weight
        self._current[serial] = entry

    def _rotate(self, now: int) -> None:
        if now - self._opened > self._lifetime:
            self._close(now)
        elif now < self._opened:
            self._opened = now  # the wall clock was set back

    def _close(self, now: int) -> None:
        """Let the older generation go. When `lifetime` brought us here, nonces up to the floor are too old anyway."""
        self._floor, self._closed_at = self._closed_at, self._serial
        self._previous, self._current = self._current, {}
        self._opened, self._room = now, GENERATION

    def _bind(self, call_id: str, from_tag: str) -> bytes:
        binding = self._binding.copy()
        binding.update(f"{call_id}\n{from_tag}".encode("utf-8", "surrogateescape"))
        return binding.digest()
