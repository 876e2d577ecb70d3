"""What scenarios vary, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from b2bua.config.events import EVENT_PACKAGES
from b2bua.feature_server.contract import AS_CALLER, CallLimits
from b2bua.session_manager.bans import BanRule
from b2bua.session_manager.challenge_policy import Reinvite
from b2bua.session_manager.dial_plan import DialPlan
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.event_packages.package import Form
from b2bua.session_manager.time_range import WeekTime
from b2bua.sip.flow import HostPort
from tests.scenarios.kept_lines import KeptLines
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.virtual_network import FEATURE_SERVER, LINK

DOMAIN: Final = "example.com"
MONDAY: Final = WeekTime(0, 10 * 60)
FEATURES: Final = ("hold", "lamps")
ALLOWED: Final = ", ".join(sorted(EVENT_PACKAGES))
"""The Allow-Events of a server with the usual event packages."""


def password(user: str) -> str:
    return f"secret-{user}"


@dataclass(frozen=True)
class Options:
    """What scenarios vary."""

    reinvite: Reinvite = "always"
    challenge: Mapping[str, str] = field(default_factory=dict)
    user_challenge: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    strict_digest_uri: bool = False
    nonce_lifetime: float = 300
    digest_algorithms: Sequence[str] = ("MD5",)
    user_digest_algorithms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    profiles: Sequence[str] = ()
    user_profiles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    features: Sequence[str] = FEATURES
    feature_directory: Path | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    """Feature codes that the configuration chose."""
    user_defaults: Mapping[str, str] = field(default_factory=dict)
    uniform: Callable[[float, float], float] | None = None
    """In place of a seeded random number."""
    event_packages: Sequence[str] = EVENT_PACKAGES
    forms: Mapping[str, Form] = field(default_factory=dict)
    """How single watchers want their lamp documents."""
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trace: int = 0
    limits: CallLimits = field(default_factory=CallLimits)
    reliable: str = AS_CALLER
    """When the callee is offered reliable provisional responses."""
    tcp: bool = False
    """Whether it listens on TCP, too, at TCP_SERVER."""
    streams: Sequence[str] = ()
    """On which of `tls`, `ws` and `wss` it listens, too, at STREAM_SERVERS."""
    bridged: bool = False
    """Whether it runs in a container: its listeners are bound to BRIDGE, which nobody outside reaches, and advertise what they
    are reached at."""
    ipv6: bool = False
    """Whether it listens on UDP over IPv6, too, at IPV6_SERVER."""
    feature_server: bool = True
    keep_alive: float = 0.0
    entities: Sequence[Entity] = ()
    """Its trunks."""
    plan: DialPlan | None = None
    """What leads to them; None: their own prefixes and domains."""
    week_time: WeekTime = MONDAY
    """When it is."""
    watch: float = 0.0
    """Seconds between two OPTIONS to its trunks; 0: none."""
    trusted: Sequence[str] = ()
    """Its trusted networks."""
    requests_per_source: int = 1000
    bans: BanRule | None = None
    link: Literal["memory", "udp", "tcp"] = "memory"
    """Communication Manager in this process, or on another host."""
    link_ends: tuple[HostPort, HostPort] = FEATURE_SERVER, LINK
    """Where that is, and where Session Manager hears it."""
    relay: Literal["", "pass", "refuse"] = ""
    """Whether there is an rtpengine, and what becomes of calls when it is down."""
    records: KeptRecords | None = None
    """What outlives the server: its calls and open INVITEs; None for the store that promises nothing."""
    remote_records: KeptRecords | None = None
    """What outlives Communication Manager on another host."""
    details: KeptLines | None = None
    """Where call detail records go."""
    log_levels: Mapping[str, str] = field(default_factory=dict)
    heartbeat: float = 0.0
    """Seconds between two OPTIONS on the link; 0: none, and the link counts as up."""
