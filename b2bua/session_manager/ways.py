"""Which flow a request in a dialog takes to a phone: the one it came on, or, where that is gone, the one it is back on."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.dialog.dialog import Dialog
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.location import NOWHERE, Binding, Location, behind_nat, way_to
from b2bua.sip.address import Address, parse_address
from b2bua.sip.flow import Flow, Flows, HostPort
from b2bua.sip.message import Message, Request
from b2bua.sip.uri import Uri, equivalent, parse_uri

Way = Callable[[Request, Flow, Dialog], Flow]
"""The flow of the NOTIFYs of a dialog after a SUBSCRIBE in it that came from this one."""


class FlowGone:
    """A flow of before a restart whose connection, or listener, is there no more: it names both, and leads nowhere."""

    __slots__ = ("listener", "local", "remote", "reliable", "transport", "via_transport")

    def __init__(self, listener: str, remote: HostPort) -> None:
        self.listener = listener
        self.local: HostPort = ("", 0)
        self.remote = remote
        self.reliable = True
        self.transport = self.via_transport = listener.partition(":")[0]

    def send(self, message: Message) -> bytes:
        """What is sent on a connection that is gone is lost."""
        return b""

    def towards(self, remote: HostPort) -> Flow:
        return FlowGone(self.listener, remote)

    def resend(self, data: bytes) -> None:
        """Lost as well."""


class Ways:
    """Finds flows for the proxy and the notifier."""

    def __init__(self, flows: Flows, location: Location, domain: Domain) -> None:
        self._flows = flows
        self._location = location
        self._domain = domain

    def to_phone(
        self, listener: str, remote: HostPort, through_nat: bool, request: Request, beyond: Uri | None = None,
        gone: bool = False,
    ) -> Flow | None:  # fmt: skip
        """The flow to a phone that wrote from `remote` to a listener; None when there is no way (any more). `gone`: by a
        connection that has ended since.

        A Route `beyond` ours names the next hop (RFC 3261 §16.6 step 7). A phone in the open may have moved its Contact by
        a re-INVITE (target refresh): the Request-URI has it. One on another connection by now, or whose hole in the NAT is
        another, has told so by its last REGISTER.
        """
        stream = not listener.startswith("udp:")
        if stream or through_nat:
            stands = stream and not gone and self._flows.find(listener, remote) is not None
            binding = self._registered(request, remote) or (None if stands or not stream else self._back(request, remote))
            if binding is not None and not (stands and not self._is_there(binding)):
                flow = binding.flow(self._flows)
                if flow is not None:
                    return flow
        return way_to(self._flows, listener, NOWHERE if gone else remote, through_nat, beyond or request.parsed_uri())

    def to_watcher(self, request: Request, source: Flow, dialog: Dialog) -> Flow:
        """The flow that NOTIFYs take after this SUBSCRIBE: along the dialog's route, else to its Contact (RFC 3261 §12.2.1.1), as
        requests to a phone that registered so; by its connection, or where it wrote from, where it is reached there alone."""
        if source.reliable:
            return source
        nearest = parse_address(dialog.route_set[0]) if dialog.route_set else Address("", dialog.remote_target)
        nat = behind_nat(nearest, request.top_via, source.remote)
        return way_to(self._flows, source.listener, source.remote, nat, nearest.parsed_uri()) or source

    def again(self, flow: Flow, request: Request) -> Flow:
        """The flow itself while its connection stands, else another to the same phone; itself too where there is none."""
        if not flow.reliable or self._flows.find(flow.listener, flow.remote) is flow:
            return flow
        through_nat = request.parsed_uri().bare_host != flow.remote[0]
        gone = isinstance(flow, FlowGone)
        return self.to_phone(flow.listener, flow.remote, through_nat, request, gone=gone) or flow

    def stands(self, flow: Flow) -> bool:
        """Whether there is a connection already (that its peer is still there it does not prove)."""
        return flow.reliable and self._flows.find(flow.listener, flow.remote) is flow

    def remembered(self, listener: str, remote: HostPort) -> Flow:
        """The flow that stood before a restart, or what is left of it: `again` finds another way."""
        return self._flows.find(listener, remote) or FlowGone(listener, remote)

    def _registered(self, request: Request, remote: HostPort) -> Binding | None:
        """The binding whose Contact is the Request-URI. A phone may register the same one by several flows (RFC 5626 §5.3.1):
        of those that stand the one that came from there, else the newest."""
        found = [
            binding
            for binding in self._location.bindings(self._domain.user_in(request.to.uri) or "")
            if equivalent(parse_uri(binding.uri), request.parsed_uri())
        ]
        standing = [binding for binding in found if self._is_there(binding)] if len(found) > 1 else found
        return next((one for one in standing if one.source == remote), next(iter(standing or found), None))

    def _back(self, request: Request, remote: HostPort) -> Binding | None:
        """The binding of a phone that has come back on another connection, and with it another port in its Contact: of this
        user there is no other at that address."""
        found = [
            binding
            for binding in self._location.bindings(self._domain.user_in(request.to.uri) or "")
            if binding.source[0] == remote[0] and self._is_there(binding)
        ]
        return found[0] if len(found) == 1 else None

    def _is_there(self, binding: Binding) -> bool:
        """Whether the connection stands that it came by."""
        return not binding.gone and self._flows.find(binding.listener, binding.source) is not None
