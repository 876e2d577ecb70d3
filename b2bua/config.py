"""The settings and where they come from: command line > environment `B2BUA_…` > TOML file > default.

Whatever is wrong becomes a line that the user sees: which file and line (or which variable or option), what is wrong, and
for an unknown key the nearest known one. A `ConfigError` has all of them. Relative paths count from the working directory,
wherever they were written.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec

from b2bua.config_addresses import (
    SECURE_TRANSPORTS,
    Link,
    Listen,
    check_link,
    host_port_text,
    link_name,
    parse_address,
    parse_collector,
    parse_host,
    parse_link,
    parse_listen,
    parse_network,
    parse_peer,
    parse_port_range,
    parse_server,
)
from b2bua.config_entities import conflicts_of_entities, read_entities, wrong_entity
from b2bua.config_events import (
    EVENT_PACKAGES,
    read_lists,
    read_packages,
    wrong_list,
)
from b2bua.config_log import read_log_levels, wrong_log_level
from b2bua.config_routing import (
    conflicts_of_routing,
    read_adaptations,
    read_dial_patterns,
    read_routing_policies,
    wrong_adaptation,
    wrong_dial_pattern,
    wrong_routing_policy,
)
from b2bua.config_sequences import conflicts_of_sequences, read_sequence, read_user_sequences, wrong_user_sequences
from b2bua.config_tables import (
    ENTRIES,
    nearest,
    read_algorithms,
    read_challenges,
    read_pair,
    read_profiles,
    read_user_challenges,
    read_user_lists,
    read_user_profiles,
)
from b2bua.faults.fault import Fault, parse_fault
from b2bua.sip.digest_algorithms import MD5, missing
from b2bua.trace.since import seconds_in

ENVIRONMENT_PREFIX: Final = "B2BUA_"
CONFIG_VARIABLE: Final = "B2BUA_CONFIG"
_ORCHESTRATION = re.compile(r"B2BUA_(SERVICE_|PORT$|PORT_|COMPILE$|TOKEN_FILE$)")
"""What Kubernetes and container links set for a service called b2bua (B2BUA_PORT, B2BUA_SERVICE_HOST): not ours. Nor is
B2BUA_COMPILE, which the installation reads (setup.py), or B2BUA_TOKEN_FILE, which commands read that ask a running server."""

_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY_LINE = re.compile(rf"\s*({_KEY_PART}(?:\s*\.\s*{_KEY_PART})*)\s*=")
_TABLE_LINE = re.compile(rf"\s*\[\[?\s*({_KEY_PART}(?:\s*\.\s*{_KEY_PART})*)\s*\]")

IN_PROCESS: Final = "cm"
"""Name of the link to the feature server in this process."""


class ConfigError(Exception):
    """Settings that cannot be used. The text is one line for the user, `problems` are all lines, the text's first."""

    def __init__(self, *problems: str) -> None:
        super().__init__(problems[0])
        self.problems = problems


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
        if self.rtpengine and "media_relay" not in self.features:
            yield "rtpengine: nothing goes through it: media_relay is not in features"
        if self.hep is not None and not self.trace:
            yield "hep: without a trace there is nothing to send: trace is 0"
        if self.trace_keep and not self.trace:
            yield "trace_keep: without a trace there is nothing to keep: trace is 0"
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
        yield from conflicts_of_entities(self.entities, {listen.transport for listen in self.listen}, self.tls_ca is not None)
        yield from conflicts_of_routing(self.dial_patterns, self.routing_policies, self.adaptations, self.entities)
        names = [link.name for link in self.links]
        in_process = () if self.feature_server == "none" else (IN_PROCESS,)
        lists = {key: getattr(self, key) for key in ("origination", "termination", "optional_applications")}
        yield from conflicts_of_sequences(lists, self.user_sequences, (*in_process, *names))
        for name in dict.fromkeys(names):
            if names.count(name) > 1 or (name == IN_PROCESS and self.feature_server != "none"):
                yield f"links: the name {name!r} is taken already"
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
            yield f"session_expires: {self.session_expires} is below session_expires_min ({self.session_expires_min}); 0 = off"
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
        try:
            check_link(self.listen[0], self.session_manager)
        except ValueError as error:
            raise ConfigError(f"listen: {error}") from None
        return self.listen[0]


class Given(NamedTuple):
    """A value as it was given, and where."""

    source: str
    """`lab.toml:3`, `B2BUA_TRACE`, `--trace`."""
    value: object
    textual: bool
    """From the command line or environment: numbers, flags and lists are still text."""


class Survey(NamedTuple):
    """All that the sources say, right and wrong."""

    settings: Settings
    """Of what is right; the rest is at its default."""
    given: dict[str, Given]
    """Key → where it was given."""
    problems: tuple[str, ...]
    """What is wrong, a line each."""
    wrong: frozenset[str]
    """Keys whose value is wrong; all of them when the file cannot be read."""


def load_settings(
    config: Path | None, environment: Mapping[str, str], options: Mapping[str, object], **defaults: Any
) -> Settings:
    """The settings of all sources together. `options`: key → text or texts; None or an empty tuple = not given.
    `defaults` are values that a command has in place of the general ones.

    Without `config` the file that `B2BUA_CONFIG` names is read, if it names one. ConfigError when anything is wrong.
    """
    found = survey(config, environment, options, **defaults)
    if found.problems:
        raise ConfigError(*found.problems)
    return found.settings


def survey(
    config: Path | None, environment: Mapping[str, str], options: Mapping[str, object], **defaults: Any
) -> Survey:
    """`load_settings` that goes on behind what is wrong."""
    if config is None and environment.get(CONFIG_VARIABLE):
        config = Path(environment[CONFIG_VARIABLE])
    problems: list[str] = []
    given: dict[str, Given] = {}
    wrong: set[str] = set()
    if config is not None:
        try:
            given = _from_file(config, problems, wrong)
        except ConfigError as error:
            problems += error.problems
            wrong |= set(FIELDS)
    given |= _from_environment(environment, problems)
    for key, value in options.items():
        if value is not None and value != ():
            given[key] = Given("--" + key.replace("_", "-"), value, True)
    values: dict[str, Any] = {}
    for key, one in given.items():
        try:
            values[key] = _read(key, one)
        except ConfigError as error:
            problems += error.problems
            wrong.add(key)
    return Survey(Settings(**(defaults | values)), given, tuple(problems), frozenset(wrong))


def placed(problem: str, given: Mapping[str, Given]) -> str:
    """A line that begins with a key, with the place where that was given before it; any other line as it is."""
    key, _, what = problem.partition(": ")
    return f"{_where(key, given[key])}: {what}" if key in given else problem


# ---- the sources


def _from_file(path: Path, problems: list[str], wrong: set[str]) -> dict[str, Given]:
    """The keys of a file; of single wrong ones `problems` and `wrong` hear, ConfigError when nothing can be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Some editors begin a file with a byte order mark.
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        what = re.sub(r" \(at .*\)$", "", str(error))
        found = re.search(r"at line (\d+)", str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        raise ConfigError(f"{path}:{line}: {what}") from None
    given = {}
    for key, value in document.items():
        where = f"{path}:{line_of(text, (key,))}"
        if key not in FIELDS:
            problems.append(f"{where}: unknown key {key!r}; the nearest known key is {nearest(key, FIELDS)!r}")
            continue
        bad = []
        if key in _ENTRIES and isinstance(value, dict):
            bad = [
                f"{path}:{line_of(text, (key, name))}: {key}.{name}: {what}"
                for name, entry in value.items()
                if (what := _ENTRIES[key](name, entry))
            ]
        if bad:
            problems += bad
            wrong.add(key)
        else:
            given[key] = Given(where, value, False)
    return given


def _from_environment(environment: Mapping[str, str], problems: list[str]) -> dict[str, Given]:
    known = {ENVIRONMENT_PREFIX + key.upper(): key for key in FIELDS}
    given = {}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name == CONFIG_VARIABLE or _ORCHESTRATION.match(name):
            continue
        if name not in known:
            problems.append(f"environment: unknown {name}; the nearest known variable is {nearest(name, known)}")
        elif value:  # An empty variable counts as not set: Compose files write `${NAME:-}`.
            given[known[name]] = Given(name, value, True)
    return given


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line of a key in a TOML text, else of its table: for messages, as tomllib keeps no positions."""
    table: tuple[str, ...] = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            fence = "" if fence in line else fence
            continue
        if header := _TABLE_LINE.match(line):
            here = table = _key_parts(header[1])
        elif key := _KEY_LINE.match(line):
            here = table + _key_parts(key[1])
            fence = next((quotes for quotes in ('"""', "'''") if line.count(quotes) == 1), "")
        else:
            continue
        if here[: len(path)] == path:
            return number
    return line_of(text, path[:-1]) if len(path) > 1 else 1


def _key_parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY_PART, text))


# ---- the values


def _read(key: str, given: Given) -> object:
    """A given value as the field's type; ConfigError names the place."""
    try:
        if key not in _READERS:
            return _convert(given, FIELDS[key])
        shape, reader = _READERS[key]
        return reader(_convert(given, shape))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{_where(key, given)}: {_sentence(str(error))}") from None
    except ValueError as error:
        raise ConfigError(f"{_where(key, given)}: {error}") from None


def _where(key: str, given: Given) -> str:
    """The words that name a setting in an error; variables and options speak for themselves."""
    return given.source if given.textual else f"{given.source}: {key}"


def _convert(given: Given, kind: Any) -> Any:
    value = given.value
    if given.textual and isinstance(value, str):
        if get_origin(kind) is tuple:
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif get_origin(kind) is dict:
            value = dict(read_pair(part) for part in value.split(",") if part.strip())
    if get_origin(kind) is Literal and value not in get_args(kind):
        raise ValueError(f"{value!r} is none of {', '.join(get_args(kind))}")
    return msgspec.convert(value, kind, strict=not given.textual)


def _sentence(text: str) -> str:
    """msgspec's message in our words: without backquotes and with a small first letter."""
    text = text.replace("`", "")
    return text[:1].lower() + text[1:]


def _path(text: str) -> Path:
    if not text:
        raise ValueError("an empty path")
    return Path(text).expanduser()


def _listeners(texts: tuple[str, ...]) -> tuple[Listen, ...]:
    return tuple(parse_listen(text) for text in texts)


def _links(texts: tuple[str, ...]) -> tuple[Link, ...]:
    return tuple(parse_link(text) for text in texts)


def _faults(texts: tuple[str, ...]) -> tuple[Fault, ...]:
    return tuple(parse_fault(text, None) for text in texts)


def _aliases(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(parse_host(text) for text in texts)


def _port_range(text: str) -> str:
    return "{}-{}".format(*parse_port_range(text))


def _rtpengine(text: str) -> str:
    if text and not parse_server(text, 0)[1]:
        raise ValueError(f"{text!r} has no port")
    return host_port_text(*parse_server(text)) if text else ""


def _trace_servers(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        name, _, url = text.partition(" ")[0].partition("=")
        if not name.replace("-", "").replace("_", "").isalnum() or not url.startswith(("http://", "https://")):
            raise ValueError(f"{text!r} is no NAME=URL")
    return texts


def _length_of_time(text: str) -> str:
    return text if text and seconds_in(text) else ""


def _address_or_none(text: str) -> str:
    return parse_host(text) if text else ""


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(parse_network(text) for text in texts)


def _dns(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(host_port_text(*parse_server(text)) for text in texts)


FIELDS: Final[dict[str, Any]] = {field.name: field.type for field in msgspec.structs.fields(Settings)}
"""Key → type of every setting."""

_ENTRIES: Final = {
    **ENTRIES, "entities": wrong_entity, "dial_patterns": wrong_dial_pattern, "routing_policies": wrong_routing_policy,
    "adaptations": wrong_adaptation, "lists": wrong_list,
    "user_sequences": wrong_user_sequences, "log_levels": wrong_log_level,
}  # fmt: skip
"""Tables of a file whose entries are checked one by one, so that an error has the entry's line."""

_READERS: Final[dict[str, tuple[Any, Callable[[Any], object]]]] = {
    "domain": (str, parse_host),
    "listen": (tuple[str, ...], _listeners),
    "http": (str, parse_address),
    "hep": (str, parse_collector),
    "trace_keep": (str, _length_of_time),
    "trace_servers": (tuple[str, ...], _trace_servers),
    "users": (str, _path),
    "tls_cert": (str, _path),
    "tls_key": (str, _path),
    "tls_ca": (str, _path),
    "aliases": (tuple[str, ...], _aliases),
    "entities": (dict[str, dict[str, Any] | str], read_entities),
    "dial_patterns": (dict[str, dict[str, Any] | str], read_dial_patterns),
    "routing_policies": (dict[str, dict[str, Any] | str], read_routing_policies),
    "adaptations": (dict[str, dict[str, Any] | str], read_adaptations),
    "trusted_networks": (tuple[str, ...], _networks),
    "dns": (tuple[str, ...], _dns),
    "media_ports": (str, _port_range),
    "media_address": (str, _address_or_none),
    "rtpengine": (str, _rtpengine),
    "faults": (tuple[str, ...], _faults),
    "feature_directory": (str, _path),
    "cdr": (str, _path),
    "digest_algorithms": (tuple[str, ...], read_algorithms),
    "user_digest_algorithms": (dict[str, tuple[str, ...] | str], read_user_lists),
    "event_packages": (tuple[str, ...], read_packages),
    "profiles": (tuple[str, ...], read_profiles),
    "user_profiles": (dict[str, tuple[str, ...] | str], read_user_profiles),
    "lists": (dict[str, tuple[str, ...] | str], read_lists),
    "links": (tuple[str, ...], _links),
    "origination": (tuple[str, ...], read_sequence),
    "termination": (tuple[str, ...], read_sequence),
    "optional_applications": (tuple[str, ...], read_sequence),
    "user_sequences": (dict[str, dict[str, Any] | str], read_user_sequences),
    "session_manager": (str, parse_peer),
    "name": (str, link_name),
    "log_levels": (dict[str, str], read_log_levels),
    "challenge": (dict[str, str], read_challenges),
    "user_challenge": (dict[str, dict[str, str] | str], read_user_challenges),
}
"""Fields written in a form of their own: the shape of the text, and its reader (ValueError for a wrong one)."""
