"""Bindings as the location has them and as the store keeps them; who else learns of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from b2bua.assembly.foundations import Foundations
from b2bua.session_manager.location import Binding, Location
from b2bua.session_manager.notifier import Notifier
from b2bua.sip.flow import Flow
from b2bua.sip.uri import parse_uri
from b2bua.store.records import BindingRecord


def binding_of(record: BindingRecord) -> Binding:
    host, _, port = record.flow_remote.rpartition(":")
    return Binding(
        record.aor, record.contact, record.uri, record.call_id, record.cseq, record.expires_at,
        f"{record.flow_transport}:{record.flow_local}", (host, int(port)), record.nat, record.instance, record.reg_id,
        record.path, record.user_agent, gone=record.flow_transport != "udp",
    )  # fmt: skip


def record_of(binding: Binding) -> BindingRecord:
    transport, _, local = binding.listener.partition(":")
    host, port = binding.source
    return BindingRecord(
        binding.aor, binding.contact, binding.uri, binding.call_id, binding.cseq, binding.expires_at, transport, local,
        f"{host}:{port}", binding.nat, binding.instance, binding.reg_id, binding.path, binding.user_agent,
    )  # fmt: skip


class KeptBindings:
    """Between registrar, location and store; trace and listeners learn from it where phones are reached."""

    def __init__(self, foundations: Foundations, location: Location, notifier: Notifier) -> None:
        self._store = foundations.store
        self._location = location
        self._timers = foundations.timers
        self._observer = foundations.observer
        self._notifier = notifier
        self._recorder = foundations.recorder
        self._listeners = foundations.listeners

    def load(self) -> None:
        """Of the store into the location, once."""
        found: dict[str, list[Binding]] = {}
        for record in self._store.bindings():
            binding = binding_of(record)
            found.setdefault(binding.aor, []).append(binding)
            self._learn(binding)
        for user, bindings in found.items():
            self._location.replace(user, bindings)

    def save(self, user: str, bindings: Sequence[Binding], done: Callable[[Exception | None], None]) -> None:
        """`done` may come in a turn of the reactor of its own: what it sends on the link runs there."""
        started = self._timers.now()

        def saved(error: Exception | None) -> None:
            self._observer.store_written(self._timers.now() - started)
            done(error)

        self._store.save_bindings(user, [record_of(binding) for binding in bindings], saved)

    def learned(self, user: str, source: Flow, uri: str) -> None:
        """From the registrar: the bindings of this user are others now."""
        for binding in self._location.bindings(user):
            self._learn(binding)
        self._notifier.registered(user)

    def _learn(self, binding: Binding) -> None:
        """Tell trace and listeners where this phone is reached; a REGISTER may come from somebody else on its behalf."""
        contact = parse_uri(binding.uri)
        if binding.nat and binding.listener.startswith("udp:"):
            self._listeners.no_stream(binding.source, binding.expires_at - time.time())
        if not binding.nat:
            self._recorder.learn(binding.aor, (contact.bare_host, contact.port or 5060))
        if binding.nat or contact.bare_host == binding.source[0]:
            self._recorder.learn(binding.aor, binding.source)
