"""Who may ask: by where it comes from, by a session's cookie, by a token; and what a request that changes something needs.

Without an account only this machine itself may ask, and may do everything: the server must listen on a loopback address, the
client must come from one, and must have meant it. With one, whoever asks must log in or show a token, on this machine too.
"""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from twisted.web.http import FORBIDDEN, NOT_ALLOWED, UNAUTHORIZED
from twisted.web.server import Request

from b2bua.http.accounts import Accounts
from b2bua.http.grants import Grant
from b2bua.http.routes import Role, Route, role_of
from b2bua.http.sessions import Sessions
from b2bua.log.events import Say, quiet

MARK: Final = b"x-b2bua"
"""A header that what changes something must have: a form on somebody else's page cannot send one, and a script there has to
ask first, which nobody answers."""
CLOSED: Final = (
    "off the loopback address only /metrics, /healthz and /readyz are served until there is a log-in: b2bua console-user add"
)
_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


class Refusal(NamedTuple):
    """Why not, with the status and a header."""

    status: int
    text: str
    header: tuple[bytes, bytes] | None = None


class Access:
    """Of one site. `public_only`: its listener is off loopback; `now` gives monotonic seconds, `make` a random text that nobody
    guesses; `on()` hears when the first account is there."""

    def __init__(
        self, public_only: bool, now: Callable[[], float], make: Callable[[], str], on: Callable[[], None] = lambda: None,
        log: Say = quiet,
    ) -> None:  # fmt: skip
        self.sessions = Sessions(now, make)
        self.accounts = Accounts(self.sessions.close_of, self._login_began, log)
        self._public_only = public_only
        self._on = on
        self._local = Grant("local", Role.OPERATOR)
        """Whoever is on this machine, as long as there is no log-in."""

    def _login_began(self) -> None:
        self._local.end()
        self._on()

    def is_shut(self, request: Request) -> bool:
        """Whether nobody at that place could ever get in: there is no log-in, and it is not this machine."""
        return not self.accounts.needed and (self._public_only or not is_local(request))

    def who(self, request: Request) -> Grant | None:
        """Who asks; None: nobody that is known."""
        if not self.accounts.needed:
            return None if self.is_shut(request) else self._local
        if (token := shown_token(request)) is not None:
            return self.accounts.of_token(token)
        return self.sessions.find(session_secret(request))

    def shows_bad_token(self, request: Request) -> bool:
        """Whether it brings a token that is nobody's, or no longer."""
        return self.accounts.needed and shown_token(request) is not None and self.who(request) is None

    def own_token(self, _url: str) -> str:
        """What the server shows to itself; "" where nobody has to log in."""
        return self.accounts.owner_token

    def shows_secrets(self, request: Request) -> bool:
        """Whether whoever asks may see what the trace hides: an operator on this machine."""
        found = self.who(request)
        return found is not None and found.role is Role.OPERATOR and is_local(request)

    def enter(self, request: Request, name: str, route: Route | None) -> Grant | Refusal:
        """Who asks for this page, or why it is not shown. A page that no table names is for reading by GET only."""
        if self.is_shut(request):
            return Refusal(FORBIDDEN, CLOSED)
        method = request.method.decode("ascii", "replace")
        operation = None if route is None else route.operation(method)
        needed = role_of(method) if operation is None else operation.role
        found = self.who(request)
        if found is None and needed is not None:
            text = "log in, or send a token: b2bua token add"
            return Refusal(UNAUTHORIZED, text, (b"WWW-Authenticate", b'Bearer realm="b2bua"'))
        if route is not None and operation is None:
            text = f"{name} takes {', '.join(route.methods)}"
            return Refusal(NOT_ALLOWED, text, (b"Allow", ", ".join(route.methods).encode()))
        if found is not None and not found.role.covers(needed):
            return Refusal(FORBIDDEN, f"{found.name} is {found.role}: {method} needs {needed}")
        if method not in ("GET", "HEAD") and request.getHeader(MARK) is None:
            return Refusal(FORBIDDEN, f"a request that changes something needs the header {MARK.decode()}")
        return found or Grant("", Role.READ_ONLY)


def cookie_name(request: Request) -> str:
    """With the port in it: browsers tell hosts apart by their cookies, but not two servers on one host."""
    return f"b2bua-{request.getHost().port}"


def shown_token(request: Request) -> str | None:
    """What the request says its token is; None where it says nothing: any other scheme is for a proxy in front."""
    scheme, _, token = (request.getHeader("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def session_secret(request: Request) -> str:
    """What the browser says its session is; empty where it says nothing."""
    wanted = cookie_name(request)
    for line in request.requestHeaders.getRawHeaders("cookie") or ():
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == wanted:
                return str(value)
    return ""


def is_local(request: Request) -> bool:
    """Whether the client is on this machine and addressed the server as such.

    The Host tells a page of somebody else's, whose name was made to resolve to 127.0.0.1, from a user; a forwarding
    header tells that a proxy on this machine speaks for a client elsewhere.
    """
    if not is_loopback(getattr(request.getClientAddress(), "host", "")):
        return False
    if any(request.getHeader(name) is not None for name in _FORWARDED):
        return False
    return is_loopback(request.getRequestHostname().decode("ascii", "replace"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own loopback address, by number or as `localhost`."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
