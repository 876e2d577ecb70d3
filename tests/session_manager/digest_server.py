"""An authenticator with its clock, and the requests and credentials that its tests send."""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.observer import Observer
from b2bua.session_manager.authenticator import Authenticator, Challenge, Verdict
from b2bua.session_manager.challenge_policy import ChallengePolicy, Reinvite
from b2bua.session_manager.nonces import Nonces
from b2bua.sip.digest import Credentials, expected_response, ha1, parse_challenge
from b2bua.sip.digest_algorithms import HASHES, STRENGTH
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.message import Request

REALM = "example.com"
ALIASES = {(REALM, None), (REALM, 5060), ("192.0.2.1", 5060), ("2001:db8::1", None), ("2001:db8::1", 5060)}
BOB = "sip:6002@example.com"


@dataclass
class Server:
    """An authenticator with its clock; 6001's password is `secret`."""

    reinvite: Reinvite = "always"
    strict_uri: bool = False
    overrides: dict[str, str] = field(default_factory=dict)
    key: bytes = b"k" * 32
    seconds: float = 1_700_000_000.0
    algorithms: tuple[str, ...] = ("MD5",)
    users: dict[str, tuple[str, ...]] = field(default_factory=dict)
    has: tuple[str, ...] = STRENGTH
    """By what 6001 has an HA1."""

    def __post_init__(self) -> None:
        self.observer = Observer()
        self.lookups: list[str] = []
        nonces = Nonces(self.key, lambda: self.seconds, 300)
        self.authenticator = Authenticator(
            REALM, self._secret_of, nonces, ChallengePolicy(self.reinvite, self.overrides), self.observer,
            lambda host, port: (host, port) in ALIASES,
            self.strict_uri, DigestOffer(self.algorithms, self.users),
        )  # fmt: skip

    def _secret_of(self, user: str, algorithm: str) -> str | None:
        self.lookups.append(user)
        if user != "6001":
            return None
        return ha1("6001", REALM, "secret", algorithm) if algorithm in self.has else ""

    def check(self, request: Request, in_dialog: bool = False, proxied: bool = False) -> Verdict:
        return self.authenticator.check(request, in_dialog, proxied)

    def challenged(self, request: Request, in_dialog: bool = False) -> Challenge:
        verdict = self.check(request, in_dialog)
        assert isinstance(verdict, Challenge)
        return verdict

    def nonce(self, request: Request | None = None, in_dialog: bool = False) -> str:
        """A nonce that answered a request."""
        return parse_challenge(self.challenged(request or message(), in_dialog).header_value).nonce

    def results(self) -> dict[str, int]:
        return {result: count for (result, _), count in self.observer.counts["auth_results"].items()}


def message(
    method: str = "INVITE", cseq: int = 1, uri: str = BOB, call_id: str = "call-1", tag: str = "a", body: bytes = b"",
    branch: str = "z9hG4bK1",
) -> Request:  # fmt: skip
    headers = {
        "Via": f"SIP/2.0/UDP 192.0.2.10;branch={branch}",
        "From": f"<sip:6001@example.com>;tag={tag}",
        "To": "<sip:6002@example.com>",
        "Call-ID": call_id,
        "CSeq": f"{cseq} {method}",
    }
    return Request(method, uri, list(headers), [f"{name}: {value}" for name, value in headers.items()], body)


def credentials(
    nonce: str, method: str = "INVITE", *, user: str = "6001", password: str = "secret", uri: str = BOB,
    nc: str = "00000001", qop: str = "auth", realm: str = REALM, more: str = "", algorithm: str = "MD5",
) -> str:  # fmt: skip
    parts = Credentials(user, realm, nonce, uri, "", algorithm, qop, nc, "c0ffee" if qop else "", "")
    response = expected_response(ha1(user, realm, password, algorithm), method, parts, HASHES[algorithm])
    more += f", algorithm={algorithm}" if algorithm != "MD5" else ""
    counted = f', qop={qop}, nc={nc}, cnonce="c0ffee"' if qop else ""
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}"{counted}{more}'
    )


def signed(request: Request, nonce: str, header: str = "Proxy-Authorization", **fields: str) -> Request:
    request.append(header, credentials(nonce, request.method, **{"uri": request.uri, **fields}))
    return request


def stale(verdict: Verdict) -> bool:
    assert isinstance(verdict, Challenge)
    return parse_challenge(verdict.header_value).stale
