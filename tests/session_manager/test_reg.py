"""What a document of registrations says of a contact (RFC 3680 §5.1)."""

from __future__ import annotations

from defusedxml.ElementTree import fromstring

from b2bua.session_manager.event_packages.package import PLAIN
from b2bua.session_manager.event_packages.reg import Registration, document
from b2bua.session_manager.location import Binding
from b2bua.sip.reg_info import NAMESPACE

CONTACT = '<sip:6001@192.0.2.10>;q=0.5;expires=60;reg-id=1;+sip.instance="<urn:uuid:1>";x=y'


def test_parameters_without_an_attribute_of_their_own_are_unknown_ones() -> None:
    binding = Binding(
        "6001", CONTACT, "sip:6001@192.0.2.10", "c1", 1, 1060.0, "udp:192.0.2.1:5060", ("192.0.2.10", 5060), False
    )
    told = fromstring(document(Registration("sip:6001@example.com", (binding,), 1000.0), None, 0, PLAIN))
    [contact] = told.iter(f"{{{NAMESPACE}}}contact")
    unknown = [each.get("name") for each in contact.iter(f"{{{NAMESPACE}}}unknown-param")]
    assert unknown == ["reg-id", "+sip.instance", "x"]
    assert (contact.get("q"), contact.get("expires")) == ("0.5", "60")
