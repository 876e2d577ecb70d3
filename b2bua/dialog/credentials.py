"""A user's credentials, and how a request that was challenged is sent again (RFC 3261 §22.2, §22.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.sip.digest import HEADERS, MAX_ROUNDS, Challenge, answer, parse_challenge, parse_credentials
from b2bua.sip.digest_algorithms import STRENGTH, missing
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request, Response

KNOWN: Final = tuple(name for name in STRENGTH if name not in missing(STRENGTH))
"""What we can answer, the strongest first."""


class Credentials:
    """Name and password of one user. `cnonce` returns a fresh client nonce."""

    def __init__(self, username: str, password: str, cnonce: Callable[[], str]) -> None:
        self.username = username
        self._password = password
        self._cnonce = cnonce
        self._counts: dict[str, tuple[str, int, str]] = {}
        """Realm → the nonce used last, how often, and the cnonce of its first use."""

    def can_answer(self, challenge: Challenge) -> bool:
        """Whether `value` will do, by its algorithm and protection."""
        try:
            answer(challenge, "OPTIONS", "sip:invalid", self.username, "", 1, "0")
        except MalformedValue:
            return False
        return True

    def value(self, challenge: Challenge, method: str, uri: str, body: bytes = b"") -> str:
        """The header value that answers a challenge; MalformedValue when we cannot (another algorithm)."""
        nonce, count, first = self._counts.get(challenge.realm, ("", 0, ""))
        cnonce = self._cnonce()
        if nonce == challenge.nonce:
            count += 1  # RFC 7616 §3.4: nc counts the requests under one nonce
        else:
            count, first = 1, cnonce
        text = answer(challenge, method, uri, self.username, self._password, count, cnonce, body, first)
        self._counts[challenge.realm] = challenge.nonce, count, first
        return text


class Attempt:
    """One request with all its rounds of challenge and answer."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._rounds = 0

    def retry(self, request: Request, response: Response, next_cseq: Callable[[], int]) -> Request | None:
        """The request once more with credentials: CSeq one up, the same body (so the same o= version), no Via yet.

        `request` is the one that was challenged, without our Via. None when the response is no challenge, when it
        asks for what we do not have, or when it refuses our credentials: a right digest on a nonce that is no longer
        accepted is answered with stale=true.
        """
        if response.status not in (401, 407) or self._rounds >= MAX_ROUNDS:
            return None
        answers = []
        for asked, answering in HEADERS:
            for challenge in _challenges(response, asked):
                if _carried(request, answering, challenge.realm) and not challenge.stale:
                    return None
                value = self._value(challenge, request)
                if value:
                    answers.append((answering, challenge.realm, value))
        if not answers:
            return None
        self._rounds += 1
        again = request.copy()
        for name, realm, value in answers:
            _drop(again, name, realm)
            again.insert_before(name, value)
        again.replace("CSeq", f"{next_cseq()} {request.method}")
        return again

    def _value(self, challenge: Challenge, request: Request) -> str:
        try:
            return self._credentials.value(challenge, request.method, request.uri, request.body)
        except MalformedValue:
            return ""


def _challenges(response: Response, name: str) -> list[Challenge]:
    """One challenge a realm: the strongest that can be answered, whatever stands above it.

    RFC 8760 §2.4 takes the topmost "unless a local policy dictates otherwise"; this is ours.
    """
    found: dict[str, Challenge] = {}
    for value in response.get_all(name):
        try:
            challenge = parse_challenge(value)
        except MalformedValue:
            continue
        if _rank(challenge) < _rank(found.get(challenge.realm)):
            found[challenge.realm] = challenge
    return list(found.values())


def _rank(challenge: Challenge | None) -> int:
    """0 for the strongest algorithm; as good as none for one that we do not know."""
    algorithm = "" if challenge is None else challenge.algorithm.upper().removesuffix("-SESS")
    return KNOWN.index(algorithm) if algorithm in KNOWN else len(KNOWN)


def _realm(line: str) -> str:
    try:
        return parse_credentials(line).realm
    except MalformedValue:
        return ""


def _carried(request: Request, name: str, realm: str) -> bool:
    return any(_realm(value) == realm for value in request.get_all(name))


def _drop(request: Request, name: str, realm: str) -> None:
    """Take out the credentials of one realm; those for other realms stay."""
    kept = [value for value in request.get_all(name) if _realm(value) != realm]
    request.remove(name)
    for value in kept:
        request.append(name, value)
