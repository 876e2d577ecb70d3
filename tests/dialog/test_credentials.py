import pytest

from b2bua.dialog.credentials import Attempt, Credentials
from b2bua.sip.digest import MAX_ROUNDS, challenge_text, expected_response, ha1, parse_credentials
from b2bua.sip.digest_algorithms import HASHES
from b2bua.sip.message import Request
from b2bua.sip.response_to import response_to

ASKS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


def request(method: str = "INVITE") -> Request:
    made = Request(method, "sip:6002@example.com", [], [])
    made.append("From", "<sip:6001@example.com>;tag=a")
    made.append("To", "<sip:6002@example.com>")
    made.append("Call-ID", "call-1")
    made.append("CSeq", f"1 {method}")
    made.set_body(b"body", "text/plain")
    return made


def challenged(asked: Request, *challenges: str, status: int = 407):
    response = response_to(asked, status)
    for challenge in challenges:
        response.append(ASKS[status][0], challenge)
    return response


class Numbers:
    def __init__(self) -> None:
        self.last = 1

    def __call__(self) -> int:
        self.last += 1
        return self.last


def attempt() -> Attempt:
    return Attempt(Credentials("6001", "secret", lambda: "cnonce"))


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_is_answered_in_its_own_header(status):
    asked = request()
    again = attempt().retry(asked, challenged(asked, challenge_text("example.com", "n"), status=status), Numbers())
    credentials = parse_credentials(again.get(ASKS[status][1]))
    assert credentials.response == expected_response(ha1("6001", "example.com", "secret"), "INVITE", credentials)
    assert (again.cseq, again.body, credentials.nc) == (2, asked.body, "00000001")


def test_refused_credentials_are_not_sent_again():
    tried, numbers, asked = attempt(), Numbers(), request()
    again = tried.retry(asked, challenged(asked, challenge_text("example.com", "n1")), numbers)
    assert tried.retry(again, challenged(again, challenge_text("example.com", "n2")), numbers) is None
    assert numbers.last == 2


def test_a_stale_nonce_is_answered_with_the_fresh_one():
    tried, numbers, asked = attempt(), Numbers(), request()
    again = tried.retry(asked, challenged(asked, challenge_text("example.com", "n1")), numbers)
    third = tried.retry(again, challenged(again, challenge_text("example.com", "n2", stale=True)), numbers)
    assert [parse_credentials(value).nonce for value in third.get_all("Proxy-Authorization")] == ["n2"]


def test_stale_for_ever_is_given_up():
    tried, numbers, asked = attempt(), Numbers(), request()
    for round_ in range(MAX_ROUNDS):
        asked = tried.retry(asked, challenged(asked, challenge_text("example.com", f"n{round_}", stale=True)), numbers)
    assert tried.retry(asked, challenged(asked, challenge_text("example.com", "last", stale=True)), numbers) is None


def test_the_count_rises_under_one_nonce():
    credentials = Credentials("6001", "secret", lambda: "cnonce")
    counts = []
    for nonce in ("n1", "n1", "n2"):
        asked = request()
        again = Attempt(credentials).retry(asked, challenged(asked, challenge_text("example.com", nonce)), Numbers())
        counts.append(parse_credentials(again.get("Proxy-Authorization")).nc)
    assert counts == ["00000001", "00000002", "00000001"]


def test_the_first_challenge_that_can_be_answered_is():
    asked = request()
    sha = 'Digest realm="example.com", nonce="s", algorithm=SHA-384, qop="auth"'
    again = attempt().retry(asked, challenged(asked, sha, challenge_text("example.com", "m")), Numbers())
    assert [parse_credentials(value).nonce for value in again.get_all("Proxy-Authorization")] == ["m"]


@pytest.mark.parametrize(
    "order",
    [("MD5", "SHA-256", "SHA-512-256"), ("SHA-512-256", "SHA-256", "MD5"), ("MD5", "SHA-256"), ("SHA-256", "SHA-1", "MD5")],
)
def test_the_strongest_challenge_is_answered_wherever_it_stands(order):
    asked = request()
    challenges = [challenge_text("example.com", f"n-{algorithm}", algorithm=algorithm) for algorithm in order]
    again = attempt().retry(asked, challenged(asked, *challenges), Numbers())
    [value] = again.get_all("Proxy-Authorization")
    credentials = parse_credentials(value)
    strongest = "SHA-512-256" if "SHA-512-256" in order else "SHA-256"
    assert (credentials.algorithm, credentials.nonce) == (strongest, f"n-{strongest}")
    secret = ha1("6001", "example.com", "secret", strongest)
    assert credentials.response == expected_response(secret, "INVITE", credentials, HASHES[strongest])


def test_a_stronger_algorithm_is_no_reason_to_send_refused_credentials_again():
    tried, asked = attempt(), request()
    again = tried.retry(asked, challenged(asked, challenge_text("example.com", "n1")), Numbers())
    stronger = challenge_text("example.com", "n2", algorithm="SHA-256")
    assert tried.retry(again, challenged(again, stronger), Numbers()) is None


def test_two_realms_are_both_answered():
    asked = request()
    challenges = challenge_text("example.com", "n1"), challenge_text("example.net", "n2")
    again = attempt().retry(asked, challenged(asked, *challenges), Numbers())
    realms = {parse_credentials(value).realm for value in again.get_all("Proxy-Authorization")}
    assert realms == {"example.com", "example.net"}


SHA = 'Digest realm="r", nonce="n", algorithm=SHA-256-sess'


@pytest.mark.parametrize("text", ["Basic realm=x", "Digest nonce=x", SHA, ""])
def test_what_cannot_be_answered_is_not(text):
    asked = request()
    assert attempt().retry(asked, challenged(asked, text), Numbers()) is None


@pytest.mark.parametrize("status", [200, 403, 404, 500])
def test_only_challenges_are_answered(status):
    asked = request()
    assert attempt().retry(asked, response_to(asked, status), Numbers()) is None
