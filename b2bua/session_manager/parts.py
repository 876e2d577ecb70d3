"""What the service puts together for a Session Manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from b2bua.log.events import Say, quiet
from b2bua.observer import Observer
from b2bua.session_manager.admission import Admission
from b2bua.session_manager.authenticator import Authenticator
from b2bua.session_manager.bans import Bans
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.event_state import EventState
from b2bua.session_manager.links import Links
from b2bua.session_manager.location import Location
from b2bua.session_manager.next_hops import NextHops
from b2bua.session_manager.notifier import Notifier
from b2bua.session_manager.registrar import Registrar
from b2bua.session_manager.tokens import Tokens
from b2bua.session_manager.trunks import Trunks
from b2bua.session_manager.trusted_networks import TrustedNetworks
from b2bua.session_manager.users import Users
from b2bua.sip.flow import Flows
from b2bua.sip.message import Message
from b2bua.store.interface import Records
from b2bua.transaction.layer import TransactionLayer


def _no_wall() -> float:
    return 0.0


class Parts(NamedTuple):
    """Made once, by the composition root."""

    layer: TransactionLayer
    domain: Domain
    tokens: Tokens
    links: Links
    users: Users
    location: Location
    registrar: Registrar
    authenticator: Authenticator
    event_state: EventState
    notifier: Notifier
    allow_events: tuple[str, str]
    """The Allow-Events header of our answer to OPTIONS."""
    flows: Flows
    observer: Observer
    failed: Callable[[BaseException, Message], None]
    """Hears of our own mistakes, with the message that brought them up."""
    leg_continued: Callable[[str, str], None]
    """`leg_continued(call_id, other)`: for the trace, both Call-IDs belong to one call. Called for what comes over a
    network: a message on the link in process names its call itself."""
    admission: Admission
    requests_per_source: int = 0
    """Requests out of dialog that one address may send in a second; 0 = any number."""
    bans: Bans | None = None
    """Of sources whose credentials keep being wrong; None: nobody is banned."""
    records: Records | None = None
    """A store that outlives the process; None where there is none."""
    wall: Callable[[], float] = _no_wall
    """Unix seconds, for what is recorded."""
    trunks: Trunks | None = None
    """None: there are none, and nothing leaves the domain."""
    next_hops: NextHops | None = None
    """Finds where names lead; None: names are not looked up."""
    trusted: TrustedNetworks | None = None
    """None: there are none."""
    log: Say = quiet
