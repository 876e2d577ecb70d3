"""Credentials and challenges: read, written, read again; both roads through the reader agree; what we answer is right."""

from __future__ import annotations

from b2bua.sip.address import quote_string, split_unquoted, unquote_string
from b2bua.sip.digest import (
    Credentials,
    answer,
    challenge_text,
    expected_response,
    ha1,
    parse_challenge,
    parse_credentials,
    parse_parameters,
)
from b2bua.sip.digest_algorithms import HASHES, plain
from b2bua.sip.errors import MalformedValue

CHALLENGES = (
    challenge_text("example.com", "n0nce"), challenge_text("example.com", "n0nce", True, "SHA-256"),
    'Digest realm="a \\"b\\" c", nonce="1", opaque="o\\\\", qop="auth,auth-int"', "Digest realm=a,nonce=b, algorithm=MD5",
    challenge_text("example.com", "n", algorithm="SHA-256-sess"), challenge_text("example.com", "n", userhash=True),
    "digest  Realm = \"x\" ,, NONCE=\"y\"",
)  # fmt: skip
WORDS = (
    b"Digest ", b"username=", b"realm=", b"nonce=", b"uri=", b"response=", b"algorithm=", b"MD5", b"SHA-256", b"-sess",
    b"qop=auth", b"userhash=true", b"nc=00000001", b"cnonce=", b"opaque=", b"stale=true", b'"', b'\\"', b"\\", b",", b"=",
    b" ", b"\t", b"\xc3\xa9", b"\xff", b"<", b">",
)  # fmt: skip


def slow_road(value: str) -> dict[str, str] | None:
    """The parameters as the grammar has them, sign by sign (RFC 3261 §25.1 auth-param); None when they are none."""
    found: dict[str, str] = {}
    for part in split_unquoted(value.strip().partition(" ")[2], ","):
        name, equals, text = part.partition("=")
        name = name.strip().lower()
        if not name and not equals:
            continue
        if not name or not equals or name in found:
            return None
        found[name] = unquote_string(text.strip())
    return found


def _answered(challenge: str) -> str:
    return answer(parse_challenge(challenge), "INVITE", "sip:6002@example.com", "6001", "secret", 1, "c0ffee")


class DigestTarget:
    """See the module."""

    seeds = (*(text.encode() for text in CHALLENGES), *(_answered(text).encode() for text in CHALLENGES))
    words = WORDS

    def check(self, data: bytes) -> None:
        value = data.decode("utf-8", "surrogateescape")
        if "\r" in value or "\n" in value or "\0" in value:
            return  # the parser of messages lets none of these through
        try:
            found = parse_parameters(value)
        except MalformedValue:
            return
        assert found == slow_road(value)
        self._credentials(value)
        self._challenge(value)

    def finish(self) -> None:
        return

    def _credentials(self, value: str) -> None:
        try:
            credentials = parse_credentials(value)
        except MalformedValue:
            return
        pairs = (f"{name}={quote_string(str(text))}" for name, text in credentials._asdict().items())
        assert parse_credentials("Digest " + ", ".join(pairs)) == credentials
        for algorithm, hashed in HASHES.items():
            secret = ha1("6001", "example.com", "secret", algorithm)
            assert len(expected_response(secret, "INVITE", credentials, hashed)) == len(hashed(""))

    def _challenge(self, value: str) -> None:
        try:
            challenge = parse_challenge(value)
            text = answer(challenge, "INVITE", "sip:6002@example.com", "6001", "secret", 1, "c0ffee")
        except MalformedValue:
            return
        credentials = parse_credentials(text)
        assert isinstance(credentials, Credentials)
        hashed = HASHES[plain(credentials.algorithm)]
        name = hashed(f"6001:{challenge.realm}") if challenge.userhash else "6001"
        assert (credentials.username, credentials.realm, credentials.nonce) == (name, challenge.realm, challenge.nonce)
        assert credentials.opaque == challenge.opaque
        assert bool(credentials.qop) == bool(challenge.qop)
        secret = ha1("6001", challenge.realm, "secret", plain(credentials.algorithm))
        assert credentials.response == expected_response(secret, "INVITE", credentials, hashed)


def make() -> DigestTarget:
    return DigestTarget()
