from __future__ import annotations

from b2bua.sip.digest_offer import DigestOffer


def test_md5_alone_is_offered_by_default():
    offer = DigestOffer()
    assert (offer.realm, offer.of("6001"), offer.all) == (("MD5",), ("MD5",), {"MD5"})


def test_a_user_may_have_a_list_of_his_own():
    offer = DigestOffer(["MD5"], {"6002": ["MD5", "SHA-256"], "6003": ["SHA-512-256"]})
    assert offer.of("6001") == offer.of("") == ("MD5",)
    assert offer.of("6002") == ("SHA-256", "MD5")
    assert offer.of("6003") == ("SHA-512-256",)
    assert offer.all == {"MD5", "SHA-256", "SHA-512-256"}
