"""The settings of one server, and what must hold between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from b2bua.config.addresses import SECURE_TRANSPORTS, Link, Listen, check_link
from b2bua.config.entities import conflicts_of_entities
from b2bua.config.events import EVENT_PACKAGES
from b2bua.config.routing import conflicts_of_routing
from b2bua.config.sequences import conflicts_of_sequences
from b2bua.faults.fault import Fault
from b2bua.sip.digest_algorithms import MD5, missing

IN_PROCESS: Final = "cm"
"""Name of the link to the feature server in this process."""


class ConfigError(Exception):
    """Settings that cannot be used. The text is one line for the user, `problems` are all lines, the text's first."""

    def __init__(self, *problems: str) -> None:
        super().__init__(problems[0])
        self.problems = problems


_NOTHING_KEPT: Final = "trace_keep: without a trace there is nothing to keep: trace is 0"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one server; immutable. `load_settings` checks each value, `check` what holds between them."""

    domain: str = "lab.internal"
    """The SIP domain served; also the digest realm."""
    listen: tuple[Listen, ...] = (Listen("udp", "0.0.0.0", 5060), Listen("tcp", "0.0.0.0", 5060))
    """Where SIP is heard: `TRANSPORT:HOST:PORT[/ADVERTISED]`, several allowed."""
    tls_cert: Path | None = None
    """The certificate of `tls` and `wss` listeners in PEM, those between it and the root behind it."""
    tls_key: Path | None = None
    """Its private key in PEM, without a passphrase; not set: in the file of `tls_cert`."""
    tls_ca: Path | None = None
    """Trusted authorities in PEM: clients of `tls` listeners are asked for a certificate, and phones that we call need one."""
    http: tuple[str, int] = ("127.0.0.1", 8080)
    """Where metrics, health and trace are served."""
    users: Path | None = None
    """A file of users: lines `user,password`, or htdigest's. Only the HA1s are kept."""
    store: str = "sqlite:var/b2bua.db"
    """Where users and bindings live."""
    durability: Literal["process", "power"] = "process"
    """What an acknowledged state survives: the death of the process, or of the machine too (each commit waits for the disk)."""
    trace: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 10_000
    """How many messages the trace keeps; 0 = off."""
    trace_bytes: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)] = 268_435_456
    """How many octets they have together at most, 300 for each included; 0 = any number."""
    trace_keep: str = ""
    """For how long messages are kept on disk, redacted, over restarts, for `b2bua trace --since`; `""` = not at all."""
    trace_file: str = "var/trace.db"
    """The file that keeps them: SQLite, mode 0600."""
    trace_keep_bytes: Annotated[int, msgspec.Meta(ge=1_000_000, le=1_000_000_000_000)] = 1_000_000_000
    """Octets in use in that file; beyond them the oldest go."""
    trace_servers: tuple[str, ...] = ()
    """Servers whose traces the console shows with ours: `NAME=URL` of their HTTP, and behind a blank a file with a token."""
    trace_secrets: bool = False
    """Whether the trace may show digest responses and keys, to loopback only and when asked for."""
    hep: Listen | None = None
    """A collector to which the trace is sent as it comes, redacted, in HEPv3."""
    challenge_reinvite: Literal["always", "when-needed", "never"] = "always"
    """Whether a re-INVITE gets 407: on each one, only without valid credentials, or never."""
    aliases: tuple[str, ...] = ()
    """Further domain names that mean this domain."""
    registration_expires_min: Annotated[int, msgspec.Meta(ge=1, le=4_294_967_295)] = 60
    """Seconds; a shorter registration is refused with 423, one of an hour or more never (RFC 3261 §10.3)."""
    registration_expires_max: Annotated[int, msgspec.Meta(ge=1, le=4_294_967_295)] = 3600
    """Seconds; a longer registration is shortened to this."""
    registration_expires_default: Annotated[int, msgspec.Meta(ge=1, le=4_294_967_295)] = 3600
    """Seconds granted to a registration that asks for none."""
    nonce_lifetime: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    """Seconds until a nonce is stale."""
    strict_digest_uri: bool = False
    """Whether the digest's `uri` must equal the Request-URI (RFC 7616 §3.4.6); many phones differ."""
    stream_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4096
    """Connections that one listener accepts, by TCP, TLS or WebSocket."""
    stream_idle: Annotated[int, msgspec.Meta(ge=60, le=2**32 - 1)] = 3900
    """Seconds of silence after which a connection is closed; less than a registration cuts silent phones off."""
    keep_alive: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 30
    """Seconds between two OPTIONS to a phone behind NAT, which keep its way in open; 0 = none."""
    digest_algorithms: tuple[str, ...] = (MD5,)
    """Digest algorithms offered, a challenge each, the strongest first. Each user needs an HA1 by each."""
    user_digest_algorithms: dict[str, tuple[str, ...]] = {}
    """Users to whom other algorithms are offered."""
    digest_qop: tuple[Literal["auth", "auth-int"], ...] = ("auth",)
    """What digests protect: the request line, or with `auth-int` the body, too (RFC 7616 §3.3)."""
    digest_session_keys: bool = False
    """Whether each algorithm is offered with `-sess` first (RFC 7616 §3.4.2); it needs no HA1 of its own."""
    digest_userhash: bool = False
    """Whether user names may come hashed (RFC 7616 §3.4.4)."""
    profiles: tuple[str, ...] = ()
    """What is done otherwise than the RFCs have it, for phones that want it so: see Profiles."""
    user_profiles: dict[str, tuple[str, ...]] = {}
    """Users with profiles of their own, in place of `profiles`."""
    watchers: Literal["domain", "self"] = "domain"
    """Who may watch a lamp or presence: every user of the domain, or its own user alone."""
    event_packages: tuple[str, ...] = EVENT_PACKAGES
    """What phones may subscribe to."""
    lists: dict[str, tuple[str, ...]] = {}
    """Lists of users that one subscription watches (RFC 4662), by the user part of the list's address."""
    feature_server: str = "communication_manager"
    """The feature server in this process."""
    features: tuple[str, ...] = (
        "do_not_disturb", "forwarding", "find_me", "hold", "music_on_hold", "lamps", "transfer", "pickup", "park", "echo_test",
        "tone",
    )  # fmt: skip
    """The feature server's features, in the order in which they see a message."""
    feature_directory: Path | None = None
    """A directory of your own features, one file each."""
    feature_codes: dict[str, str] = {}
    """Feature codes by name, other than the features' own; `""` switches one off."""
    user_defaults: dict[str, str] = {}
    """Users' settings by name, for users who have not set them."""
    feature_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 2.0
    """Seconds after which a feature that does not come back, and holds everybody up, is ended: its call gets 500; 0 = never."""
    session_expires: Annotated[int, msgspec.Meta(ge=0, le=4_294_967_295)] = 1800
    """Seconds that a call lives without a session refresh, on each leg (RFC 4028); 0 = no session timers."""
    session_expires_min: Annotated[int, msgspec.Meta(ge=1, le=4_294_967_295)] = 90
    """Seconds; a shorter session interval is refused with 422. RFC 4028 §4 wants 90 at least."""
    reliable_provisional: Literal["as-caller", "always", "never"] = "as-caller"
    """Whether a phone that is called may ring reliably (100rel, RFC 3262): when the caller knows it, or in any case."""
    calls_per_user: Annotated[int, msgspec.Meta(ge=0)] = 200
    """Calls that one user may be a party of at a time; 0 = any number."""
    requests_per_source: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1000
    """Requests out of dialog that one address may send in a second; 0 = any number."""
    ban_failures: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100
    """Wrong credentials from one address, within `ban_window`, after which it is banned; 0 = nobody is."""
    ban_window: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    """Seconds in which wrong credentials add up."""
    ban_duration: Annotated[float, msgspec.Meta(gt=0, le=31_536_000)] = 300.0
    """Seconds that a ban lasts."""
    call_length_max: Annotated[int, msgspec.Meta(ge=0, le=4_294_967_295)] = 14_400
    """Seconds after which a call ends in any case; 0 = never."""
    dns: tuple[str, ...] = ()
    """Whom to ask where host names lead: `HOST[:PORT]`; none: the servers of `/etc/resolv.conf`."""
    media_ports: str = "20000-20999"
    """UDP ports of what the server itself plays and hears, `FIRST-LAST`, the even ones of them; `0-0` = any free ones."""
    media_address: str = ""
    """The address that phones are told for that; `""`: the one by which each knows the server."""
    rtpengine: str = ""
    """Where rtpengine hears its ng protocol, `HOST:PORT`; the feature `media_relay` sends the media of calls through it."""
    rtpengine_down: Literal["pass", "refuse"] = "pass"
    """What becomes of a call while rtpengine does not answer: its media go between the phones, or it is refused with 480."""
    next_hop_rest: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0
    """Seconds for which an address that a name led to, and that failed, is tried after all others (RFC 3263 §4.3)."""
    links: tuple[Link, ...] = ()
    """Feature servers elsewhere, passed in this order after the one in this process: `NAME=udp:HOST:PORT=HOST:PORT`."""
    origination: tuple[str, ...] | None = None
    """Applications that a call passes for its caller, by the names of their links; not set: all, in their order."""
    termination: tuple[str, ...] | None = None
    """Applications that it passes for its callee; what ends the one sequence and begins the other is passed once."""
    user_sequences: dict[str, dict[str, Any]] = {}
    """Users with sequences of their own."""
    application_passes: Literal["once", "twice"] = "once"
    """Whether an application that serves caller and callee in a row is passed once, or once for each."""
    optional_applications: tuple[str, ...] = ()
    """Applications without which a call goes on when they do not answer; without any other it fails (480)."""
    application_timeout: Annotated[float, msgspec.Meta(gt=0, le=32)] = 4.0
    """Seconds in which an optional application must have said anything to a call."""
    entities: dict[str, dict[str, Any]] = {}
    """Trunks and gateways: where they are, how they are known, and what they serve."""
    dial_patterns: dict[str, dict[str, Any]] = {}
    """Numbers that are no users', by their first digits, and the routing policies that they go by."""
    routing_policies: dict[str, dict[str, Any]] = {}
    """Entity, rank and times of a way out, and when the next one is tried."""
    adaptations: dict[str, dict[str, Any]] = {}
    """How an entity wants numbers and headers: rules that an entity's `adaptation` names."""
    trusted_networks: tuple[str, ...] = ()
    """Networks whose requests are not challenged, and whose P-Asserted-Identity is believed (RFC 3325); by UDP private ones."""
    link_heartbeat: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 5.0
    """Seconds between two OPTIONS on a link, and after which one without an answer means that it is down."""
    session_manager: tuple[str, int] | None = None
    """Of `b2bua feature-server`: where Session Manager hears it, the listener in its `links`; by TLS also a name."""
    name: str = ""
    """Of `b2bua feature-server`: its name in Session Manager's `links`; "" is the plugin's."""
    challenge: dict[str, Literal["401", "407", "none"]] = {}
    """Per method another challenge than the default policy's."""
    user_challenge: dict[str, dict[str, Literal["401", "407", "none"]]] = {}
    """Users with challenges of their own, above `challenge`."""

    cdr: Path | None = None
    """A file to which each call that has ended adds its call detail record, a JSON object a line; opened anew by a reload."""
    log_format: Literal["text", "json"] = "text"
    """What a line of the log is, on standard error: text for people, or a JSON object."""
    log_levels: dict[str, Literal["debug", "info", "warning", "error"]] = {}
    """The lowest level that is logged, by area of the log; `all` is every area that is not named, and else `info`."""

    faults: tuple[Fault, ...] = ()
    """Faults on purpose from the start on, one a line as `b2bua fault add` takes it."""

    def check(self) -> None:
        """ConfigError when the server cannot start with these settings, whatever their sources."""
        if problems := tuple(self.conflicts()):
            raise ConfigError(*problems)

    def conflicts(self) -> Iterator[str]:
        """Why the server cannot start with these settings, a line each that begins with a key."""
        yield from self._certificate_conflicts()
        yield from self._idle_conflicts()
        yield from self._address_conflicts()
        yield from self._routing_conflicts()
        yield from self._time_conflicts()
        yield from self._digest_conflicts()

    def _certificate_conflicts(self) -> Iterator[str]:
        """No listener, or no certificates for one or for a link."""
        if not self.listen:
            yield "listen: at least one listener is needed"
        secure = [listen for listen in self.listen if listen.transport in SECURE_TRANSPORTS]
        if secure and self.tls_cert is None:
            yield f"listen: {secure[0]} needs a certificate: tls_cert is not set"
        for key in ("tls_key", "tls_ca"):
            if self.tls_cert is None and getattr(self, key) is not None:
                yield f"{key}: without tls_cert it means nothing"
        tls_links = [link.listen for link in self.links if link.listen.transport == "tls"]
        if tls_links and (self.tls_cert is None or self.tls_ca is None):
            yield f"links: {tls_links[0]} needs tls_cert, and tls_ca to know its feature server by"

    def _idle_conflicts(self) -> Iterator[str]:
        """What would do nothing."""
        if self.rtpengine and "media_relay" not in self.features:
            yield "rtpengine: nothing goes through it: media_relay is not in features"
        if self.hep is not None and not self.trace:
            yield "hep: without a trace there is nothing to send: trace is 0"
        if self.trace_keep and not self.trace:
            yield _NOTHING_KEPT

    def _address_conflicts(self) -> Iterator[str]:
        """Addresses that two would listen on."""
        listeners = [*self.listen, *(link.listen for link in self.links)]
        bound = [(listen.transport, listen.host, listen.port) for listen in listeners if listen.port]
        for address in dict.fromkeys(bound):
            if bound.count(address) > 1:
                key = "listen" if bound[: len(self.listen)].count(address) > 1 else "links"
                yield f"{key}: {Listen(*address)} stands there twice"
        for number, one in enumerate(listeners):
            for other in listeners[number + 1 :]:
                if (one.transport, one.host) != (other.transport, other.host) and one.overlaps(other):
                    yield f"{'listen' if other in self.listen else 'links'}: {other} overlaps with {one}"

    def _routing_conflicts(self) -> Iterator[str]:
        """Names that stand for nothing, or for two things."""
        yield from conflicts_of_entities(self.entities, {listen.transport for listen in self.listen}, self.tls_ca is not None)
        yield from conflicts_of_routing(self.dial_patterns, self.routing_policies, self.adaptations, self.entities)
        names = [link.name for link in self.links]
        in_process = () if self.feature_server == "none" else (IN_PROCESS,)
        lists = {key: getattr(self, key) for key in ("origination", "termination", "optional_applications")}
        yield from conflicts_of_sequences(lists, self.user_sequences, (*in_process, *names))
        for name in dict.fromkeys(names):
            if names.count(name) > 1 or (name == IN_PROCESS and self.feature_server != "none"):
                yield f"links: the name {name!r} is taken already"

    def _time_conflicts(self) -> Iterator[str]:
        """Seconds that contradict each other."""
        low, high, usual = self.registration_expires_min, self.registration_expires_max, self.registration_expires_default
        if not low <= usual <= high:
            keys = ("registration_expires_default", "registration_expires_max", "registration_expires_min")
            ordinary = Settings()
            # The one that was moved has a line in a file; a default has none.
            moved = next(key for key in keys if getattr(self, key) != getattr(ordinary, key))
            yield (
                f"{moved}: registration_expires_default ({usual}) is not between "
                f"registration_expires_min ({low}) and registration_expires_max ({high})"
            )
        if 0 < self.session_expires < self.session_expires_min:
            moved = "session_expires" if self.session_expires != Settings().session_expires else "session_expires_min"
            said = f"{self.session_expires} is below session_expires_min ({self.session_expires_min}); 0 = off"
            yield f"{moved}: {said}" if moved == "session_expires" else f"{moved}: session_expires: {said}"

    def _digest_conflicts(self) -> Iterator[str]:
        """Digests that cannot be made."""
        if not self.digest_qop:
            yield "digest_qop: at least one of auth, auth-int is wanted"
        for key, algorithms in (("digest_algorithms", self.digest_algorithms), *self.user_digest_algorithms.items()):
            for algorithm in missing(algorithms):
                where = key if key == "digest_algorithms" else f"user_digest_algorithms: {key}"
                yield f"{where}: {algorithm} is not in this Python's OpenSSL"

    def check_feature_server(self) -> Listen:
        """The one listener of `b2bua feature-server`; ConfigError when it cannot start with these settings."""
        if self.session_manager is None:
            raise ConfigError("session_manager: Session Manager's address is needed: HOST:PORT of its link")
        if len(self.listen) != 1 or self.listen[0].advertised is not None:
            raise ConfigError("listen: one listener is needed, without another address to be advertised")
        if self.feature_server == "none":
            raise ConfigError("feature_server: the name of a plugin is needed")
        if self.listen[0].transport != "udp" and not self.listen[0].port:
            raise ConfigError("listen: the port is needed: Session Manager knows us by it")
        if self.listen[0].transport == "tls" and (self.tls_cert is None or self.tls_ca is None):
            raise ConfigError("listen: a link by TLS needs tls_cert, and tls_ca to know Session Manager by")
        if self.trace_keep and not self.trace:
            raise ConfigError(_NOTHING_KEPT)
        try:
            check_link(self.listen[0], self.session_manager)
        except ValueError as error:
            raise ConfigError(f"listen: {error}") from None
        return self.listen[0]


FIELDS: Final[dict[str, Any]] = {field.name: field.type for field in msgspec.structs.fields(Settings)}
"""Key → type of every setting."""
