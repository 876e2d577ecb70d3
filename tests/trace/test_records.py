"""Records: their keys, the call they belong to, retransmissions, filters."""

from __future__ import annotations

import json

from b2bua.sip.response_to import response_to
from b2bua.trace.recorder import Entry
from b2bua.trace.records import LOOK_BACK, Filter, Reader
from tests.trace.hand_made import FakeFlow, Scene, first_line, request, sdp, standing_call


def test_keys_of_a_record() -> None:
    scene = Scene()
    scene.up("6001", request("REGISTER", "6001", "6001", "reg", 1))
    (record,) = scene.records()
    keys = ["time", "source", "destination", "transport", "call", "retransmission", "message", "source_address"]
    assert list(record) == keys
    assert (record["time"], record["transport"], record["call"]) == (1000.25, "udp", None)
    assert record["message"].startswith("REGISTER sip:6001@example.com SIP/2.0\r\nVia: ")
    assert json.loads(json.dumps(record)) == record


def test_step_stands_only_on_steps() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    numbered = [record for record in call.scene.records() if "step" in record]
    assert len(numbered) == 10
    assert all(isinstance(record["step"], int) for record in numbered)


def test_notes_stand_on_offers_and_answers() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    (holds,) = {record["note"] for record in call.scene.records() if record.get("step") in (1, 4, 6, 8)}
    assert holds == "hold: audio sendrecv → sendonly, o= version 1 → 2, nothing else"
    assert not any("note" in record for record in call.scene.records() if first_line(record) in ("PUBLISH", "NOTIFY"))


def test_a_note_shows_no_key() -> None:
    call = standing_call()
    call.scene.up("6001", call.from_phone("INVITE", "6001", body=sdp("sendonly", 2, key="k" * 40)))
    note = call.scene.records()[-1]["note"]
    assert "also a=crypto" in note and "kkk" not in note


def test_addresses_are_those_of_peers_and_of_our_vias() -> None:
    scene = Scene()
    scene.up("6001", request("OPTIONS", "6001", "6001", "a", 1))
    ours = request("OPTIONS", "sm", "6001", "b", 1)  # its Via is 192.0.2.9
    scene.down("6001", ours)
    scene.up("6001", response_to(ours, 200))
    scene.link("SM", "CM", ours)
    found = [(record.get("source_address"), record.get("destination_address")) for record in scene.records()]
    peer = "192.0.2.1:5061"
    assert found == [(peer, None), ("192.0.2.9", peer), (peer, "192.0.2.9"), (None, None)]


def test_all_legs_share_one_call_from_the_first_message_on() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    records = call.scene.records()
    assert {record["call"] for record in records} == {"leg-a"}
    assert {first_line(record) for record in records} >= {"PUBLISH", "NOTIFY", "407", "ACK"}


def test_responses_to_publish_and_notify_and_their_retransmissions_have_the_call() -> None:
    call = standing_call()
    scene = call.scene
    notify = call.notify("6001", "6003", 1)
    scene.recorder.resent(scene.flows["6003"], notify.encode())
    scene.up("6003", response_to(notify, 200))
    last = scene.records()[-4:]
    assert [first_line(record) for record in last] == ["NOTIFY", "200", "NOTIFY", "200"]
    assert [record["call"] for record in last] == ["leg-a"] * 4
    assert [record["retransmission"] for record in last] == [False, False, True, True]


def test_call_that_nobody_claims_goes_by_its_call_id() -> None:
    scene = Scene()
    scene.up("6001", request("INVITE", "6001", "6002", "lonely", 1))
    scene.up("6001", request("SUBSCRIBE", "6001", "6002", "s", 1))
    scene.up("6001", request("OPTIONS", "6001", "6002", "o", 1))
    scene.down("6001", request("NOTIFY", "6002", "6001", "s", 1))
    assert [record["call"] for record in scene.records()] == ["lonely", None, None, None]


def test_same_bytes_the_other_way_are_no_retransmission() -> None:
    scene = Scene()
    invite = request("INVITE", "6001", "6002", "c", 1)
    scene.up("6001", invite)
    scene.link("SM", "CM", invite)
    scene.link("CM", "SM", invite)
    scene.link("SM", "CM", invite)
    assert [record["retransmission"] for record in scene.records()] == [False, False, False, True]


def test_garbage_is_shown() -> None:
    scene = Scene()
    scene.recorder.received(FakeFlow(("192.0.2.77", 9)), b"\xff\xfehello")
    (record,) = scene.records()
    assert (record["source"], record["call"], record["message"]) == ("192.0.2.77:9", None, "\ufffd\ufffdhello")


def test_undecodable_bytes_in_a_message() -> None:
    scene = Scene()
    data = request("OPTIONS", "6001", "6002", "c", 1, ("Subject", "caf\udce9")).encode()
    scene.recorder.received(scene.flows["6001"], data)
    assert "Subject: caf\ufffd\r\n" in scene.records()[0]["message"]


def test_call_id_of_any_leg_returns_the_whole_call() -> None:
    call = standing_call()
    call.change("6001", "sendonly")
    everything = call.scene.records()
    call.scene.up("6001", request("INVITE", "6001", "6003", "other", 1))
    call.scene.up("6001", request("REGISTER", "6001", "6001", "reg", 1))
    for call_id in ("leg-a", "leg-b", "call-1"):
        assert call.scene.records(call_id=call_id) == everything
    assert [first_line(record) for record in call.scene.records(call_id="reg")] == ["REGISTER"]
    assert call.scene.records(call_id="unknown") == []


def test_user_returns_whole_calls_and_what_names_the_user() -> None:
    call = standing_call()
    everything = call.scene.records()
    call.scene.up("6003", request("REGISTER", "6003", "6003", "reg", 1))
    call.scene.up("6002", request("REGISTER", "6002", "6002", "reg2", 1))
    assert call.scene.records(user="6001") == everything
    assert len(call.scene.records(user="6002")) == len(everything) + 1
    assert [first_line(record) for record in call.scene.records(user="6003")] == ["REGISTER"]
    assert call.scene.records(call_id="leg-b", user="6003") == []


def test_long_call_is_numbered_in_one_batch_and_in_many() -> None:
    call = standing_call(size=5000)
    for version in range(2, 60):
        holds = version % 2 == 0
        call.change("6001", "sendonly" if holds else "sendrecv", lamp="no" if holds else "yes", version=version)
    everything = call.scene.records()
    recorder = call.scene.recorder
    assert len(everything) > 2 * LOOK_BACK - 200
    assert sum("step" in record for record in everything) == 29 * 10
    reader, entries, live = Reader(recorder), recorder.entries(), []
    for start in range(0, len(entries), 40):
        live += [record for record in reader.read(entries[start : start + 40]) if record]
    assert sum(record.get("step") == 9 for record in live) == 29


def test_secrets_only_where_asked() -> None:
    scene = standing_call().scene
    assert "0123abcd" not in json.dumps(scene.records())
    assert "0123abcd" in json.dumps(scene.records(secrets=True))


def test_batches_continue_each_other_and_memory_is_bounded_by_the_ring() -> None:
    call = standing_call(size=12)
    recorder = call.scene.recorder
    reader = Reader(recorder, Filter())
    assert len([record for record in reader.read(recorder.entries()) if record]) == 10
    newest: list[Entry] = []
    recorder.add_listener(newest.append)
    call.change("6001", "sendonly")
    records = [record for record in reader.read(newest) if record]
    assert {record["call"] for record in records} == {"leg-a"}
    assert len(reader._window) == 12
    assert sum(len(known.hops) for known in reader._calls.values()) == 12
    assert len(reader._first_copies) <= 12 and len(reader._requests) <= 12
    again = [record for record in reader.read(newest[-1:]) if record]
    assert again[0]["retransmission"] is True
