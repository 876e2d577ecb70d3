"""Who a message is from and to, alone at an address and among many."""

from __future__ import annotations

from b2bua.sip.message import Message
from b2bua.sip.response_to import response_to
from tests.trace.hand_made import FakeFlow, Scene, request

SHARED = ("192.0.2.50", 5060)


def ways(scene: Scene) -> list[str]:
    return [f"{record['source']}>{record['destination']}" for record in scene.records()]


def shared() -> Scene:
    """A load generator: 7001 and 7002 register from one address."""
    scene = Scene()
    scene.phone("7001", SHARED)
    scene.phone("7002", SHARED)
    return scene


def test_shared_address_request_and_response_of_the_caller() -> None:
    scene = shared()
    invite = request("INVITE", "7001", "7002", "c", 1)
    scene.up("7001", invite)
    scene.down("7001", response_to(invite, 100))
    assert ways(scene) == ["7001>SM", "SM>7001"]


def test_shared_address_request_and_response_of_the_callee() -> None:
    scene = shared()
    invite = request("INVITE", "7001", "7002", "c", 1)
    scene.down("7001", invite)
    scene.up("7001", response_to(invite, 180))
    assert ways(scene) == ["SM>7002", "7002>SM"]


def test_requests_of_cm_in_a_dialog_go_to_the_party_in_to() -> None:
    scene = shared()
    bye = request("BYE", "7002", "7001", "leg-a", 1, tags=("ca", "a"))
    scene.down("7001", bye)
    scene.up("7001", response_to(bye, 200))
    assert ways(scene) == ["SM>7001", "7001>SM"]


def test_forwarded_request_goes_by_its_request_uri() -> None:
    scene = shared()
    invite = request("INVITE", "7001", "6009", "c", 1)
    invite.uri = "sip:7002@192.0.2.50"
    scene.down("7001", invite)
    assert ways(scene) == ["SM>7002"]


def test_one_user_at_the_address_is_it_whatever_the_message_says() -> None:
    scene = Scene()
    scene.up("6001", request("REGISTER", "6009", "6009", "c", 1))
    assert ways(scene) == ["6001>SM"]


def test_nobody_of_several_fits() -> None:
    scene = shared()
    scene.up("7001", request("OPTIONS", "7009", "7009", "c", 1))
    assert ways(scene) == ["192.0.2.50:5060>SM"]


def test_strangers_are_addresses_and_elements_have_their_name() -> None:
    scene = Scene()
    message: Message = request("OPTIONS", "x", "y", "c", 1)
    scene.recorder.directory.element("CM", ("192.0.2.70", 5060))
    for address in (("2001:db8::1", 5060), ("192.0.2.70", 5060)):
        scene.recorder.received(FakeFlow(address), message.encode())
    assert ways(scene) == ["[2001:db8::1]:5060>SM", "CM>SM"]


def test_escaped_user_is_found() -> None:
    scene = Scene()
    scene.phone("joe smith", SHARED)
    scene.phone("jane", SHARED)
    scene.up("jane", request("OPTIONS", "joe%20smith", "jane", "c", 1))
    assert ways(scene) == ["joe smith>SM"]
