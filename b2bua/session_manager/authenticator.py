"""Digest authentication of users at Session Manager (RFC 3261 §22, RFC 7616): challenge, refuse or let pass.

Says who sent a request, not what that user may do: whether the user owns From or To is routing's to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hmac import compare_digest
from typing import Final, NamedTuple

from b2bua.observer import Observer
from b2bua.session_manager.addressed_nonces import AddressedNonces
from b2bua.session_manager.challenge_policy import ChallengePolicy
from b2bua.session_manager.lenient_nonces import OPAQUE, LenientNonces
from b2bua.session_manager.nonces import NO_NC, Nonce, Nonces, Outcome
from b2bua.session_manager.user_hashes import UserHashes
from b2bua.sip.digest import Credentials, challenge_text, expected_response, parse_credentials, parse_parameters
from b2bua.sip.digest_algorithms import DIGITS, HASHES, MD5, plain
from b2bua.sip.digest_offer import AUTH, DigestOffer
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request, Response
from b2bua.sip.profiles import ASTERISK, AVAYA, Profiles
from b2bua.sip.response_to import response_to
from b2bua.sip.uri import Uri, parse_uri
from b2bua.sip.why import Why

REINVITE_AGE: Final = 32.0
"""Seconds that a nonce serves a re-INVITE: 64·T1, after which the challenged transaction is gone (RFC 3261 §17.2.1)."""

TRIES: Final = 3
"""Right digests on unusable nonces answered per Call-ID before 403: a phone that ignores fresh nonces would loop."""

SESSIONS: Final = 10_000
"""Nonces whose `-sess` key is remembered; past it the oldest is forgotten, and its phone challenged once more."""

LOOPS: Final = 10_000
"""Call-IDs whose tries are counted: as many calls as go wrong within 32 s; past it the oldest count is forgotten."""


NO_CREDENTIALS: Final[Why] = (None, "challenge: no credentials for this realm that could be used")
WRONG: Final = "challenge: the credentials, said to be of {}, are wrong"
UNUSABLE: Final = "challenge: the digest of {} is right, its nonce cannot be used ({})"
OTHER_URI: Final = "digest: its uri {} is for another request (RFC 7616 §3.4.6)"
LOOPING: Final = "digest: right {} times on nonces that cannot be used, so it would go on like that"


class Passed(NamedTuple):
    """The request may go on."""

    user: str
    """The user name of the credentials; "" when the request needed none."""


class Challenge(NamedTuple):
    """The request is answered with `status` and this header."""

    status: int
    header_name: str
    header_value: str
    weaker: tuple[str, ...] = ()
    """Values of further headers of this name below it: one per weaker algorithm, in order (RFC 8760 §2.3)."""
    wrong: bool = False
    """Credentials for our realm were there, and no password of that user makes their response."""
    user: str = ""
    """That user, where there are such credentials."""
    why: Why = NO_CREDENTIALS
    """For the trace."""


class Refused(NamedTuple):
    """The request is answered with this status, without a challenge."""

    status: int
    reason: str
    why: Why


Verdict = Passed | Challenge | Refused


def challenging(request: Request, challenge: Challenge, tag: str) -> Response:
    """The 401 or 407 to a request."""
    response = response_to(request, challenge.status, tag=tag)
    response.why = challenge.why
    response.append(challenge.header_name, challenge.header_value)
    for value in challenge.weaker:
        response.append(challenge.header_name, value)
    return response


NOT_CHALLENGED: Final = Passed("")

_CREDENTIALS_IN: Final = {401: "Authorization", 407: "Proxy-Authorization"}
_CREDENTIALS: Final = frozenset(_CREDENTIALS_IN.values())
_OTHER: Final = {401: "Proxy-Authorization", 407: "Authorization"}
_CHALLENGE_IN: Final = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}

_NOBODY: Final = {algorithm: "0" * digits for algorithm, digits in DIGITS.items()}
"""H(A1) that an unknown user's response is computed against, so that it costs what a wrong password costs."""

_NC: Final = re.compile(r"[0-9a-fA-F]{1,8}")
"""RFC 7616 §3.4 wants eight digits (`nc-value = 8LHEX`); phones that leave out leading zeros are understood."""


class Authenticator:
    """Checks the credentials of one realm.

    `secret_of`: user and algorithm → H(A1) in small hex digits, "" for a user without one by this algorithm, None for an
    unknown user. `is_alias`: whether host (lower case, IPv6 without brackets) and port are ours. `strict_uri`: the digest
    uri must equal the Request-URI. `offer`: the algorithms. `lenient`: the nonces of users with the profile `avaya`;
    `addressed`: of those with `asterisk`.
    """

    def __init__(
        self, realm: str, secret_of: Callable[[str, str], str | None], nonces: Nonces, policy: ChallengePolicy,
        observer: Observer, is_alias: Callable[[str, int | None], bool], strict_uri: bool = False,
        offer: DigestOffer | None = None, user_hashes: UserHashes | None = None, lenient: LenientNonces | None = None,
        profiles: Profiles | None = None, addressed: AddressedNonces | None = None,
    ) -> None:  # fmt: skip
        self._realm = realm
        self._quoted_realm = f'realm="{realm}"'
        self._secret_of = secret_of
        self._nonces = nonces
        self._observer = observer
        self._is_alias = is_alias
        self._lenient, self._addressed = lenient, addressed
        self.follow(policy, offer or DigestOffer(), strict_uri, profiles or Profiles())
        self._user_hashes = user_hashes
        self._first_cnonces: dict[str, str] = {}
        """Nonce → the cnonce of its first use with a `-sess` algorithm, the oldest first."""
        self._loops: dict[str, tuple[int, int]] = {}
        """Call-ID → (right digests in a row on unusable nonces, ms of the last one), the oldest first."""

    def follow(self, policy: ChallengePolicy, offer: DigestOffer, strict_uri: bool, profiles: Profiles) -> None:
        """From the next request on: this policy, these algorithms and profiles. Nonces that are out stay good, lenient ones
        for whom they still are."""
        self._policy = policy
        self._offer = offer
        self._qop = ",".join(offer.qop)
        self._strict_uri = strict_uri
        avaya = self._lenient is not None and profiles.anywhere(AVAYA)
        asterisk = self._addressed is not None and profiles.anywhere(ASTERISK)
        self._profiles = profiles if avaya or asterisk else None
        """None where nobody has nonces of another kind, so that they cost nothing."""

    def check(self, request: Request, in_dialog: bool, proxied_subscribe: bool = False) -> Verdict:
        """Whether a request may go on, and whose it is.

        `in_dialog` only where a Route token proved it. `proxied_subscribe`: this SUBSCRIBE is only passed on, so that
        Session Manager challenges it as a proxy. Raises nothing, whatever the credentials look like.
        """
        method = request.method
        policy = self._policy
        if policy.users:
            policy = self._policy_for(request)
        status = policy.status(method, in_dialog)
        if not status:
            return NOT_CHALLENGED
        if proxied_subscribe and method == "SUBSCRIBE":
            status = policy.proxied
        credentials = self._credentials(request, status)
        if credentials is None:
            return self._challenge(request, status, in_dialog)
        if not self._is_for(credentials.uri, request):
            # RFC 7616 §3.4.6: SHOULD return a 400. Looked at before the digest: the same for every user, known or not.
            self._observer.credentials_checked("bad_response", credentials.algorithm)
            return Refused(400, "Digest URI Not Acceptable", (None, OTHER_URI, credentials.uri))
        user = self._user_of(credentials) if credentials.userhash else credentials.username
        if not self._right(user, credentials, request):
            challenge = self._challenge(request, status, in_dialog)
            return challenge._replace(wrong=True, user=user, why=(None, WRONG, user or credentials.username))
        once = in_dialog and method == "INVITE" and policy.reinvite == "always"
        outcome = self._use(request, credentials, once, user)
        self._observer.credentials_checked(outcome, credentials.algorithm)
        if outcome != "ok":
            if once and self._loops_now(request.call_id):
                return Refused(403, "Forbidden", (None, LOOPING, TRIES))
            # RFC 7616 §3.3: the digest is right, only nonce or nc is not.
            return self._challenge(request, status, in_dialog, stale=True)._replace(why=(None, UNUSABLE, user, outcome))
        if once and self._loops:
            self._loops.pop(request.call_id, None)
        return Passed(user)

    def challenge(self, request: Request, stale: bool) -> Challenge:
        """A challenge whatever the credentials and the policy say: 401 where a registrar or notifier asks, else 407; with the
        profile `asterisk` always 401."""
        status = 401 if request.method in ("REGISTER", "SUBSCRIBE") else self._policy_for(request).proxied
        return self._challenge(request, status, bool(request.to.tag), stale)

    def strip(self, request: Request) -> None:
        """Take our realm's credentials out of a request of ours that goes on, ACK included; other realms' stay."""
        names, lines = request.names, request.lines
        if _CREDENTIALS.isdisjoint(names):
            return
        for name in _CREDENTIALS:
            for index in range(len(names) - 1, -1, -1):
                if names[index] == name and self._ours(lines[index]):
                    del names[index], lines[index]

    def _ours(self, line: str) -> bool:
        """Whether a line holds credentials for our realm, or looks like it and cannot be read."""
        if self._realm not in line and "\\" not in line:
            return False
        if self._quoted_realm in line:
            return True
        try:
            return parse_parameters(line.partition(":")[2]).get("realm") == self._realm
        except MalformedValue:
            return self._realm in line

    def _credentials(self, request: Request, status: int) -> Credentials | None:
        """The credentials for our realm, None when there are none that we can read, compute and offered to anybody.

        They belong in the header that goes with the status; some phones answer a 407 with Authorization, so the other
        one is looked at when the first has none. Each stands on a line of its own (RFC 3261 §7.3.1).
        """
        names, lines = request.names, request.lines
        for name in (_CREDENTIALS_IN[status], _OTHER[status]):
            index = -1
            for _ in range(names.count(name)):
                index = names.index(name, index + 1)
                try:
                    credentials = parse_credentials(lines[index].partition(":")[2])
                except MalformedValue:
                    continue
                if credentials.realm != self._realm:
                    continue
                if credentials.algorithm not in self._offer.all:
                    named = self._offer.accepted.get(credentials.algorithm.upper())
                    if named is None:
                        continue
                    credentials = credentials._replace(algorithm=named)
                if _usable(credentials, self._offer):
                    return credentials
        return None

    def _is_for(self, uri: str, request: Request) -> bool:
        """Whether a digest uri belongs to this request; it need not equal the Request-URI (RFC 3261 §22.4 point 6)."""
        if uri == request.uri:
            return True
        if self._strict_uri:
            return False
        try:
            mine = _digest_uri(uri)
            host = mine.bare_host
            return bool(host) and (self._is_alias(host, mine.port) or host == request.parsed_uri().bare_host)
        except MalformedValue:
            return False

    def _user_of(self, credentials: Credentials) -> str:
        """The user behind a hashed name; "" for nobody, who is answered like an unknown name."""
        return "" if self._user_hashes is None else self._user_hashes.name_of(credentials.username, plain(credentials.algorithm))

    def _right(self, user: str, credentials: Credentials, request: Request) -> bool:
        """Whether the response is what the user's secret makes of the nonce as sent: ours or not, usable or not."""
        named, offer = credentials.algorithm, self._offer
        algorithm = plain(named)
        secret = self._secret_of(user, algorithm) if user else None
        usable = secret if not offer.users or algorithm in offer.of(user) else ""
        key, hashed, first = usable or _NOBODY[algorithm], HASHES[algorithm], ""
        if named != algorithm:
            first = self._first_cnonces.get(credentials.nonce, "")
        body = request.body if credentials.qop != AUTH else b""
        expected = expected_response(key, request.method, credentials, hashed, body, first)
        if compare_digest(expected, credentials.response) and usable:
            if named != algorithm and not first:
                self._remember(credentials)
            return True
        self._observer.credentials_checked("unknown_user" if secret is None else "bad_response", algorithm)
        return False

    def _remember(self, credentials: Credentials) -> None:
        """The key of a `-sess` algorithm stays that of the nonce's first use."""
        known = self._first_cnonces
        if len(known) >= SESSIONS:
            del known[next(iter(known))]
        known[credentials.nonce] = credentials.cnonce

    def _use(self, request: Request, credentials: Credentials, once: bool, user: str) -> Outcome:
        """Use the nonce of a user's right credentials; `once`: as for a re-INVITE that is always challenged."""
        nonces = self._nonces
        nonce = nonces.read(credentials.nonce)
        if nonce is None:
            # From before a restart, from another node, or one that is never used up.
            return "ok" if self._is_good(credentials.nonce, user, request) else "stale"
        if once and not self._serves_reinvite(nonce, request):
            return "stale"
        tag = request.from_.tag
        mark = nonces.mark(request.call_id, tag, request.cseq, request.uri, credentials.response, request.body)
        if not credentials.qop:
            # Without a count only the first use can be told from a replay.
            return nonces.use(nonce, NO_NC, mark, first_only=True)
        return nonces.use(nonce, int(credentials.nc, 16), mark, first_only=once)

    def _is_good(self, nonce: str, user: str, request: Request) -> bool:
        """Whether it is a nonce that is never used up, and the user one who may use those."""
        lenient, addressed, profiles = self._lenient, self._addressed, self._profiles
        if profiles is None:
            return False
        if lenient is not None and profiles.has(AVAYA, user):
            return lenient.is_good(nonce)
        return addressed is not None and profiles.has(ASTERISK, user) and addressed.is_good(nonce, request)

    def _serves_reinvite(self, nonce: Nonce, request: Request) -> bool:
        """Whether a nonce answered this dialog's request with this CSeq or a lower one, not long ago."""
        return (
            request.cseq >= nonce.cseq
            and self._nonces.age(nonce) <= REINVITE_AGE
            and self._nonces.bound(nonce, request.call_id, request.from_.tag)
        )

    def _challenge(self, request: Request, status: int, in_dialog: bool, stale: bool = False) -> Challenge:
        self._observer.challenge_sent(request.method, status, in_dialog)
        offer = self._offer
        algorithms = offer.challenged(self._offered_to(request) if offer.users else offer.realm)
        strongest = self._challenge_by(algorithms[0], request, stale)
        if len(algorithms) == 1:
            return Challenge(status, _CHALLENGE_IN[status], strongest)
        weaker = tuple(self._challenge_by(algorithm, request, stale) for algorithm in algorithms[1:])
        return Challenge(status, _CHALLENGE_IN[status], strongest, weaker)

    def _challenge_by(self, algorithm: str, request: Request, stale: bool) -> str:
        lenient, addressed, profiles = self._lenient, self._addressed, self._profiles
        if profiles is not None:
            user, userhash = self._claimed_user(request), self._offer.userhash
            if lenient is not None and profiles.has(AVAYA, user):
                text = challenge_text(self._realm, lenient.make(), False, algorithm, self._qop, userhash, OPAQUE)
                return f"{text}, stale=false"
            if addressed is not None and profiles.has(ASTERISK, user):
                nonce = addressed.make(request)
                return challenge_text(self._realm, nonce, stale, algorithm, self._qop, userhash, addressed.opaque())
        nonce = self._nonces.make(request.call_id, request.from_.tag, request.cseq)
        return challenge_text(self._realm, nonce, stale, algorithm, self._qop, self._offer.userhash)

    def _offered_to(self, request: Request) -> tuple[str, ...]:
        """The algorithms of the user who claims to send this; a list of one's own shows that its user exists."""
        address = request.to if request.method == "REGISTER" else request.from_
        try:
            return self._offer.of(address.parsed_uri().username)
        except MalformedValue:
            return self._offer.realm

    def _policy_for(self, request: Request) -> ChallengePolicy:
        """That of the user who claims to send this, where it is not the same for all."""
        policy = self._policy
        return policy.users.get(self._claimed_user(request), policy) if policy.users else policy

    def _claimed_user(self, request: Request) -> str:
        """The user of our domain who claims to send this, "" for none: nothing is proven yet."""
        address = request.to if request.method == "REGISTER" else request.from_
        try:
            uri = address.parsed_uri()
            return uri.username if self._is_alias(uri.bare_host, uri.port) else ""
        except MalformedValue:
            return ""

    def _loops_now(self, call_id: str) -> bool:
        """Count one more right digest on an unusable nonce; whether this Call-ID had its tries before."""
        now, loops = self._nonces.now(), self._loops
        tries, last = loops.pop(call_id, (0, now))
        if now - last > REINVITE_AGE * 1000:
            tries = 0
        loops[call_id] = (tries + 1, now)
        oldest = next(iter(loops))
        if len(loops) > LOOPS or now - loops[oldest][1] > REINVITE_AGE * 1000:
            del loops[oldest]  # one goes for each that comes: enough to stay within bounds
        return tries >= TRIES


def _digest_uri(text: str) -> Uri:
    """A digest uri in parts. SIPp leaves the brackets of IPv6 out: `sip:::1:5060`."""
    try:
        return parse_uri(text)
    except MalformedValue:
        scheme, _, rest = text.partition(":")
        host, _, port = rest.rpartition(":")
        return parse_uri(f"{scheme}:[{host}]:{port}")


def _usable(credentials: Credentials, offer: DigestOffer) -> bool:
    """Whether credentials have the form that we offered, or MD5's of RFC 2069 without qop (RFC 3261 §22.4 point 8), which a
    realm that wants the body protected does not take."""
    if not credentials.response.isascii():  # cannot be hex digits, and compare_digest takes no such text
        return False
    try:
        _digest_uri(credentials.uri)
    except MalformedValue:
        return False
    if not credentials.qop:
        # RFC 8760 §2.6 point 8 forgives peers that know RFC 3261 only; those know no other algorithm.
        return credentials.algorithm == MD5 and AUTH in offer.qop
    return credentials.qop.lower() in offer.qop and bool(credentials.cnonce) and bool(_NC.fullmatch(credentials.nc))
