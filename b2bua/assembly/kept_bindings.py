"""Bindings as the location has them, and as the store keeps them."""

from __future__ import annotations

from b2bua.session_manager.location import Binding
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
