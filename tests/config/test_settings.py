"""Settings: the sources and their order, the forms of the values, and what the user reads when one is wrong."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.config import addresses
from b2bua.config.addresses import Link, Listen, parse_address, parse_listen
from b2bua.config.settings import FIELDS, ConfigError, Settings
from b2bua.config.sources import line_of, load_settings
from b2bua.faults.fault import Fault

SAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "b2bua.toml"


def from_file(tmp_path, text, environment=None, **options):
    path = tmp_path / "lab.toml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return load_settings(path, environment or {}, options)


def refusal(tmp_path, text):
    """The error's text, its file name cut to the last part."""
    with pytest.raises(ConfigError) as caught:
        from_file(tmp_path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def refused(environment=None, **options):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, environment or {}, options)
    return str(caught.value)


# ---- sources


def test_defaults_without_any_source():
    settings = load_settings(None, {}, {"domain": None, "listen": ()})
    assert settings == Settings()
    assert settings.domain == "lab.internal"
    assert [str(listen) for listen in settings.listen] == ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]
    assert settings.http == ("127.0.0.1", 8080)
    settings.check()


def test_command_line_over_environment_over_file_over_default(tmp_path):
    text = 'domain = "file.example.com"\ntrace = 1\nnonce_lifetime = 30'
    environment = {"B2BUA_DOMAIN": "environment.example.com", "B2BUA_TRACE": "2"}
    settings = from_file(tmp_path, text, environment, domain="line.example.com")
    assert (settings.domain, settings.trace, settings.nonce_lifetime) == ("line.example.com", 2, 30.0)
    assert settings.watchers == "domain"


def test_a_list_of_a_stronger_source_replaces_the_weaker_one(tmp_path):
    settings = from_file(
        tmp_path, 'listen = ["udp:127.0.0.1:1", "udp:127.0.0.1:2"]', listen=("udp:127.0.0.1:3", "udp:127.0.0.1:4")
    )
    assert [listen.port for listen in settings.listen] == [3, 4]


def test_every_setting_from_the_environment():
    environment = {
        "B2BUA_DOMAIN": "Example.COM.",
        "B2BUA_LISTEN": "udp:127.0.0.1:0, tcp:[::1]:5060/pbx.example.com",
        "B2BUA_HTTP": "[::1]:0",
        "B2BUA_TLS_CERT": "server.pem",
        "B2BUA_TLS_KEY": "server.key",
        "B2BUA_TLS_CA": "authorities.pem",
        "B2BUA_USERS": "users.csv",
        "B2BUA_STORE": "memory:",
        "B2BUA_DURABILITY": "power",
        "B2BUA_TRACE": "0",
        "B2BUA_TRACE_BYTES": "1000",
        "B2BUA_TRACE_KEEP": "24h",
        "B2BUA_TRACE_FILE": "kept.db",
        "B2BUA_TRACE_KEEP_BYTES": "2000000",
        "B2BUA_TRACE_SERVERS": "lab2=http://127.0.0.1:8081 token, cm=http://127.0.0.2:8082",
        "B2BUA_TRACE_SECRETS": "true",
        "B2BUA_HEP": "tcp:[::1]:9060",
        "B2BUA_CHALLENGE_REINVITE": "when-needed",
        "B2BUA_ALIASES": "pbx.example.com,[2001:DB8::1]",
        "B2BUA_REGISTRATION_EXPIRES_MIN": "10",
        "B2BUA_REGISTRATION_EXPIRES_MAX": "20",
        "B2BUA_REGISTRATION_EXPIRES_DEFAULT": "15",
        "B2BUA_NONCE_LIFETIME": "2.5",
        "B2BUA_STRICT_DIGEST_URI": "1",
        "B2BUA_STREAM_CONNECTIONS": "100",
        "B2BUA_STREAM_IDLE": "600",
        "B2BUA_KEEP_ALIVE": "0",
        "B2BUA_DIGEST_ALGORITHMS": "MD5, SHA-256",
        "B2BUA_USER_DIGEST_ALGORITHMS": "6002=SHA-512-256, 6003=MD5+SHA-256",
        "B2BUA_DIGEST_QOP": "auth-int,auth",
        "B2BUA_DIGEST_SESSION_KEYS": "true",
        "B2BUA_DIGEST_USERHASH": "1",
        "B2BUA_PROFILES": "avaya",
        "B2BUA_USER_PROFILES": "6003=, 6004=avaya",
        "B2BUA_WATCHERS": "self",
        "B2BUA_EVENT_PACKAGES": "message-summary, dialog, dialog",
        "B2BUA_LISTS": "panel=6001+6002, doors=6003",
        "B2BUA_FEATURE_SERVER": "none",
        "B2BUA_FEATURES": "lamps,hold",
        "B2BUA_FEATURE_DIRECTORY": "features",
        "B2BUA_FEATURE_CODES": "forward=*21, park=",
        "B2BUA_USER_DEFAULTS": "forward_to=6003",
        "B2BUA_SESSION_EXPIRES": "600",
        "B2BUA_SESSION_EXPIRES_MIN": "120",
        "B2BUA_RELIABLE_PROVISIONAL": "always",
        "B2BUA_CALLS_PER_USER": "3",
        "B2BUA_REQUESTS_PER_SOURCE": "50",
        "B2BUA_BAN_FAILURES": "5",
        "B2BUA_BAN_WINDOW": "30",
        "B2BUA_BAN_DURATION": "0.5",
        "B2BUA_CALL_LENGTH_MAX": "0",
        "B2BUA_ENTITIES": "carrier=address=192.0.2.80 numbers=0|+49, office=address=sip.example.net trusted=true",
        "B2BUA_DIAL_PATTERNS": "national=pattern=0[1-9] min=4 policies=first|second, barred=pattern=0900 policies=",
        "B2BUA_ROUTING_POLICIES": "first=entity=carrier rank=1 times=mon-fri/08:00-18:00 timeout=4 next_on=500|503",
        "B2BUA_ADAPTATIONS": "german=called_out=0:1:+49 headers_out=remove:User-Agent|add:X-Lab:yes",
        "B2BUA_DNS": "192.0.2.53, [2001:db8::53]:5353",
        "B2BUA_NEXT_HOP_REST": "0",
        "B2BUA_MEDIA_PORTS": "30000 - 30099",
        "B2BUA_MEDIA_ADDRESS": "192.0.2.1",
        "B2BUA_RTPENGINE": "127.0.0.1:2223",
        "B2BUA_RTPENGINE_DOWN": "refuse",
        "B2BUA_LINKS": "first=udp:127.0.0.1:5070=127.0.0.2:5071, second=udp:[::1]:0=[fd00::2]:5072",
        "B2BUA_TRUSTED_NETWORKS": "10.1.0.0/16, 2001:DB8::/32,192.0.2.7",
        "B2BUA_ORIGINATION": "cm, first",
        "B2BUA_TERMINATION": "second",
        "B2BUA_USER_SEQUENCES": "6001=origination=first|second termination=, 6002=termination=first",
        "B2BUA_APPLICATION_PASSES": "twice",
        "B2BUA_OPTIONAL_APPLICATIONS": "first",
        "B2BUA_APPLICATION_TIMEOUT": "0.5",
        "B2BUA_LINK_HEARTBEAT": "0.5",
        "B2BUA_SESSION_MANAGER": "10.0.0.1:5070",
        "B2BUA_NAME": "first",
        "B2BUA_CHALLENGE": "BYE=407, UPDATE=none",
        "B2BUA_USER_CHALLENGE": "6003=BYE:407+re-INVITE:none, 6004=INFO:401",
        "B2BUA_FEATURE_SECONDS": "0.5",
        "B2BUA_CDR": "calls.jsonl",
        "B2BUA_LOG_FORMAT": "json",
        "B2BUA_LOG_LEVELS": "calls=debug, all=warning",
        "B2BUA_FAULTS": "drop method=NOTIFY, delay user=6001 seconds=0.5",
    }
    assert {name.removeprefix("B2BUA_").lower() for name in environment} == set(FIELDS)
    assert load_settings(None, environment, {}) == Settings(
        domain="example.com",
        listen=(Listen("udp", "127.0.0.1", 0), Listen("tcp", "::1", 5060, ("pbx.example.com", 5060))),
        http=("::1", 0),
        tls_cert=Path("server.pem"),
        tls_key=Path("server.key"),
        tls_ca=Path("authorities.pem"),
        users=Path("users.csv"),
        store="memory:",
        durability="power",
        trace=0,
        trace_bytes=1000,
        trace_keep="24h",
        trace_file="kept.db",
        trace_keep_bytes=2_000_000,
        trace_servers=("lab2=http://127.0.0.1:8081 token", "cm=http://127.0.0.2:8082"),
        trace_secrets=True,
        hep=Listen("tcp", "::1", 9060),
        challenge_reinvite="when-needed",
        aliases=("pbx.example.com", "2001:db8::1"),
        registration_expires_min=10,
        registration_expires_max=20,
        registration_expires_default=15,
        nonce_lifetime=2.5,
        strict_digest_uri=True,
        stream_connections=100,
        stream_idle=600,
        keep_alive=0,
        digest_algorithms=("SHA-256", "MD5"),
        user_digest_algorithms={"6002": ("SHA-512-256",), "6003": ("SHA-256", "MD5")},
        digest_qop=("auth-int", "auth"),
        digest_session_keys=True,
        digest_userhash=True,
        profiles=("avaya",),
        user_profiles={"6003": (), "6004": ("avaya",)},
        watchers="self",
        event_packages=("message-summary", "dialog"),
        lists={"panel": ("6001", "6002"), "doors": ("6003",)},
        feature_server="none",
        features=("lamps", "hold"),
        feature_directory=Path("features"),
        feature_codes={"forward": "*21", "park": ""},
        user_defaults={"forward_to": "6003"},
        feature_seconds=0.5,
        cdr=Path("calls.jsonl"),
        log_format="json",
        log_levels={"calls": "debug", "all": "warning"},
        faults=(Fault("drop", method="NOTIFY"), Fault("delay", user="6001", seconds=0.5)),
        session_expires=600,
        session_expires_min=120,
        reliable_provisional="always",
        calls_per_user=3,
        requests_per_source=50,
        ban_failures=5,
        ban_window=30,
        ban_duration=0.5,
        call_length_max=0,
        entities={
            "carrier": {"address": "192.0.2.80", "numbers": ("0", "+49")},
            "office": {"address": "sip.example.net", "trusted": True},
        },
        dial_patterns={
            "national": {"pattern": "0[1-9]", "min": 4, "policies": ("first", "second")},
            "barred": {"pattern": "0900", "policies": ()},
        },
        routing_policies={
            "first": {
                "entity": "carrier", "rank": 1, "times": ("mon-fri/08:00-18:00",), "timeout": 4, "next_on": ("500", "503"),
            }
        },
        adaptations={"german": {"called_out": ("0:1:+49",), "headers_out": ("remove:User-Agent", "add:X-Lab:yes")}},
        dns=("192.0.2.53:53", "[2001:db8::53]:5353"),
        next_hop_rest=0.0,
        media_ports="30000-30099",
        media_address="192.0.2.1",
        rtpengine="127.0.0.1:2223",
        rtpengine_down="refuse",
        links=(
            Link("first", Listen("udp", "127.0.0.1", 5070), ("127.0.0.2", 5071)),
            Link("second", Listen("udp", "::1", 0), ("fd00::2", 5072)),
        ),
        trusted_networks=("10.1.0.0/16", "2001:db8::/32", "192.0.2.7/32"),
        origination=("cm", "first"),
        termination=("second",),
        user_sequences={"6001": {"origination": ("first", "second"), "termination": ()}, "6002": {"termination": ("first",)}},
        application_passes="twice",
        optional_applications=("first",),
        application_timeout=0.5,
        link_heartbeat=0.5,
        session_manager=("10.0.0.1", 5070),
        name="first",
        challenge={"BYE": "407", "UPDATE": "none"},
        user_challenge={"6003": {"BYE": "407", "re-INVITE": "none"}, "6004": {"INFO": "401"}},
    )


def test_a_file_may_come_from_another_system(tmp_path):
    (tmp_path / "lab.toml").write_bytes("\ufeff# the lab\r\ntrace = 7\r\n".encode())
    assert load_settings(tmp_path / "lab.toml", {}, {}).trace == 7


def test_the_environment_names_the_file(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text("trace = 7")
    assert load_settings(None, {"B2BUA_CONFIG": str(path)}, {}).trace == 7


def test_an_empty_variable_counts_as_not_set():
    assert load_settings(None, {"B2BUA_USERS": "", "B2BUA_LISTEN": "", "B2BUA_CONFIG": ""}, {}) == Settings()


def test_variables_of_orchestration_are_not_ours():
    environment = {"B2BUA_SERVICE_HOST": "192.0.2.1", "B2BUA_PORT": "udp://192.0.2.1:5060", "B2BUA_PORT_5060_UDP": "x"}
    assert load_settings(None, environment, {}) == Settings()


# ---- refusals


def test_an_unknown_key_is_refused_with_file_line_and_the_nearest(tmp_path):
    text = '# the lab\n\ndomain = "example.com"\nlisten_on = ["udp:127.0.0.1:5060"]\n'
    assert refusal(tmp_path, text) == "lab.toml:4: unknown key 'listen_on'; the nearest known key is 'listen'"


def test_an_unknown_table_is_refused_at_its_header(tmp_path):
    text = 'domain = "example.com"\n[chalenge]\nBYE = "407"\n'
    assert refusal(tmp_path, text) == "lab.toml:2: unknown key 'chalenge'; the nearest known key is 'challenge'"


def test_an_unknown_variable_is_refused_with_the_nearest():
    expected = "environment: unknown B2BUA_LISEN; the nearest known variable is B2BUA_LISTEN"
    assert refused({"B2BUA_LISEN": "udp:127.0.0.1:5060"}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\ntrace = "many"', "lab.toml:2: trace: expected int, got str"),
        ("trace = -1", "lab.toml:1: trace: expected int >= 0"),
        ("trace = 10000001", "lab.toml:1: trace: expected int <= 10000000"),
        ("nonce_lifetime = inf", "lab.toml:1: nonce_lifetime: expected float <= 86400.0"),
        ("nonce_lifetime = nan", "lab.toml:1: nonce_lifetime: expected float"),
        ("digest_algorithms = []", "lab.toml:1: digest_algorithms: a list of MD5, SHA-256, SHA-512-256 is wanted"),
        ('digest_algorithms = ["SHA256"]', "lab.toml:1: digest_algorithms: unknown algorithm 'SHA256'; the nearest known algorithm is 'SHA-256'"),  # noqa: E501
        ('digest_algorithms = "MD5"', "lab.toml:1: digest_algorithms: expected array, got str"),
        ('[user_digest_algorithms]\n6001 = ["MD5"]\n6002 = ["md5"]', "lab.toml:3: user_digest_algorithms.6002: unknown algorithm 'md5'; the nearest known algorithm is 'MD5'"),  # noqa: E501
        ("[user_digest_algorithms]\n6002 = 5", "lab.toml:2: user_digest_algorithms.6002: a list of MD5, SHA-256, SHA-512-256 is wanted"),  # noqa: E501
        ('[lists]\npanel = ["6001", "6001"]', "lab.toml:2: lists.panel: a user stands there twice"),
        ("[lists]\npanel = 6001", "lab.toml:2: lists.panel: a list of users is wanted"),
        ("[lists]\npanel = []", "lab.toml:2: lists.panel: a list of users is wanted"),
        ('event_packages = ["presense"]', "lab.toml:1: event_packages: unknown event package 'presense'; the nearest known one is 'presence'"),  # noqa: E501
        ("user_digest_algorithms = 5", "lab.toml:1: user_digest_algorithms: expected object, got int"),
        ('\nprofiles = ["avayya"]', "lab.toml:2: profiles: unknown profile 'avayya'; the nearest known profile is 'avaya'"),
        ('profiles = "avaya"', "lab.toml:1: profiles: expected array, got str"),
        ('[user_profiles]\n6001 = []\n6002 = ["Avaya"]', "lab.toml:3: user_profiles.6002: unknown profile 'Avaya'; the nearest known profile is 'avaya'"),  # noqa: E501
        ('profiles = ["pvalue", "avaya", "asterisk"]', "lab.toml:1: profiles: asterisk and avaya are two servers, and one is imitated"),  # noqa: E501
        ('[user_profiles]\n6002 = ["asterisk", "avaya"]', "lab.toml:2: user_profiles.6002: asterisk and avaya are two servers"),
        ("[user_profiles]\n6002 = 5", "lab.toml:2: user_profiles.6002: a list of avaya, asterisk, partial, single_dialog, pvalue is wanted"),  # noqa: E501
        ('\ntrusted_networks = ["10.0.0.1/8"]', "lab.toml:2: trusted_networks: '10.0.0.1/8' is not a network such as 10.0.0.0/8: 10.0.0.1/8 has host bits set"),  # noqa: E501
        ('trusted_networks = ["0.0.0.0/0"]', "lab.toml:1: trusted_networks: '0.0.0.0/0' is everybody"),
        ('trusted_networks = ["office"]', "lab.toml:1: trusted_networks: 'office' is not a network such as 10.0.0.0/8: 'office' does not appear to be an IPv4 or IPv6 network"),  # noqa: E501
        ('\ndigest_qop = ["auth", "both"]', "lab.toml:2: digest_qop: 'both' is none of auth, auth-int"),
        ('hep = "x"', "lab.toml:1: hep: 'x' is not udp:HOST:PORT or tcp:HOST:PORT"),
        ('hep = "tls:127.0.0.1:9060"', "lab.toml:1: hep: 'tls:127.0.0.1:9060' is not udp:HOST:PORT or tcp:HOST:PORT"),
        ('rtpengine = "relay:22222"', "lab.toml:1: rtpengine: 'relay' is not an IP address, and names are not looked up here"),
        ('dns = ["ns.example.com"]', "lab.toml:1: dns: 'ns.example.com' is not an IP address, and names are not looked up here"),
        ("[user_defaults]\nforward_no_answer_seconds = 5", "lab.toml:1: user_defaults: expected str, got int"),
        ("trace = true", "lab.toml:1: trace: expected int, got bool"),
        ("nonce_lifetime = 0", "lab.toml:1: nonce_lifetime: expected float > 0.0"),
        ('strict_digest_uri = "yes"', "lab.toml:1: strict_digest_uri: expected bool, got str"),
        ("domain = 5", "lab.toml:1: domain: expected str, got int"),
        ('domain = "two words"', "lab.toml:1: domain: 'two words' is not a host name"),
        ('users = ""', "lab.toml:1: users: an empty path"),
        ('watchers = "all"', "lab.toml:1: watchers: 'all' is none of domain, self"),
        ('listen = "udp:127.0.0.1:5060"', "lab.toml:1: listen: expected array, got str"),
        ('http = "127.0.0.1"', "lab.toml:1: http: '127.0.0.1' has no port"),
        ('[challenge]\nBYE = "407"\nINVTE = "407"', "lab.toml:3: challenge.INVTE: unknown method 'INVTE'; the nearest known method is 'INVITE'"),  # noqa: E501
        ("[challenge]\nBYE = 407", "lab.toml:2: challenge.BYE: 407 is none of 401, 407, none (as text)"),
        ('challenge.ACK = "407"', "lab.toml:1: challenge.ACK: ACK is never challenged"),
        ('challenge = { REGISTER = "none" }', "lab.toml:1: challenge.REGISTER: REGISTER is always challenged"),
        ('challenge.re-INVIT = "407"', "lab.toml:1: challenge.re-INVIT: unknown method 're-INVIT'; the nearest known method is 're-INVITE'"),  # noqa: E501
        ('[user_challenge.6003]\nBYE = "403"', "lab.toml:1: user_challenge.6003: BYE: '403' is none of 401, 407, none (as text)"),
        ('[user_challenge]\n6003 = "none"', "lab.toml:2: user_challenge.6003: a table of method = challenge is wanted"),
        ('[user_challenge]\n6003.REGISTER = "none"', "lab.toml:2: user_challenge.6003: REGISTER: REGISTER is always challenged"),
        ("challenge = 5", "lab.toml:1: challenge: expected object, got int"),
        ("trace = 1\ntrace = 2\n", "lab.toml:2: Cannot overwrite a value"),
        ('\ndomain = "example.com', "lab.toml:2: "),
        ("domain", "lab.toml:1: "),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_file_and_line(tmp_path, text, expected):
    assert refusal(tmp_path, text).startswith(expected)


@pytest.mark.parametrize("server", ["avaya", "asterisk"])
def test_one_server_may_be_imitated_with_other_profiles(tmp_path, server):
    assert from_file(tmp_path, f'profiles = ["{server}", "partial", "pvalue"]').profiles == (server, "partial", "pvalue")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(tmp_path / "missing.toml", {}, {})
    with pytest.raises(ConfigError, match="directory"):
        load_settings(tmp_path, {}, {})
    (tmp_path / "latin.toml").write_bytes(b'domain = "\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(tmp_path / "latin.toml", {}, {})


def test_options_and_variables_are_named_in_their_errors():
    assert refused(trace="many") == "--trace: expected int, got str"
    assert refused({"B2BUA_TRACE": "many"}) == "B2BUA_TRACE: expected int, got str"
    expected = "--challenge-reinvite: 'sometimes' is none of always, when-needed, never"
    assert refused(challenge_reinvite="sometimes") == expected
    assert refused({"B2BUA_USER_CHALLENGE": "6003=BYE"}) == "B2BUA_USER_CHALLENGE: 6003: BYE: '' is none of 401, 407, none (as text)"  # noqa: E501
    assert refused({"B2BUA_CHALLENGE": "ACK=407"}) == "B2BUA_CHALLENGE: ACK: ACK is never challenged"
    assert refused({"B2BUA_CHALLENGE": "BYE"}) == "B2BUA_CHALLENGE: 'BYE' is not NAME=VALUE"


# ---- what holds between settings


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(listen=(Listen("tls", "0.0.0.0", 5061),)), "listen: tls:0.0.0.0:5061 needs a certificate: tls_cert is not set"),
        (Settings(listen=(Listen("wss", "::1", 443),)), "listen: wss:[::1]:443 needs a certificate"),
        (Settings(tls_key=Path("key.pem")), "tls_key: without tls_cert it means nothing"),
        (Settings(tls_ca=Path("ca.pem")), "tls_ca: without tls_cert it means nothing"),
        (
            Settings(listen=(Listen("tcp", "0.0.0.0", 5061), Listen("ws", "127.0.0.1", 5061))),
            "listen: ws:127.0.0.1:5061 overlaps with tcp:0.0.0.0:5061",
        ),
        (
            Settings(listen=(Listen("tcp", "::1", 5061), Listen("ws", "::1", 5061))),
            "listen: ws:[::1]:5061 overlaps with tcp:[::1]:5061",
        ),
        (Settings(listen=()), "at least one listener"),
        (Settings(listen=(Listen("udp", "127.0.0.1", 5060),) * 2), "udp:127.0.0.1:5060 stands there twice"),
        (Settings(registration_expires_default=30), "is not between registration_expires_min"),
        (Settings(registration_expires_max=1800), "registration_expires_max: registration_expires_default (3600) is not between"),
        (Settings(session_expires=89), "session_expires: 89 is below session_expires_min (90)"),
        (Settings(session_expires_min=2000), "session_expires_min: session_expires: 1800 is below session_expires_min (2000)"),
    ],
)
def test_check_refuses_what_cannot_start(settings, expected):
    with pytest.raises(ConfigError, match=re.escape(expected)):
        settings.check()


def test_udp_and_tls_may_have_one_port():
    Settings(listen=(Listen("udp", "::1", 5061), Listen("tls", "::1", 5061)), tls_cert=Path("server.pem")).check()


def test_two_listeners_on_any_free_port_may_start():
    Settings(listen=(Listen("udp", "127.0.0.1", 0),) * 2).check()


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Settings().domain = "example.com"  # type: ignore[misc]  # That it is refused is the test.


# ---- forms


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("udp:127.0.0.1:5060", Listen("udp", "127.0.0.1", 5060)),
        ("UDP:localhost:0", Listen("udp", "127.0.0.1", 0)),
        ("tcp:[2001:db8::1]:5061", Listen("tcp", "2001:db8::1", 5061)),
        ("udp:0.0.0.0:5060/192.0.2.1", Listen("udp", "0.0.0.0", 5060, ("192.0.2.1", 5060))),
        ("udp:0.0.0.0:5060/PBX.example.com:5070", Listen("udp", "0.0.0.0", 5060, ("pbx.example.com", 5070))),
        ("udp:[::]:5060/[2001:db8::1]", Listen("udp", "::", 5060, ("2001:db8::1", 5060))),
        ("udp:[::]:0/[2001:db8::1]:5070", Listen("udp", "::", 0, ("2001:db8::1", 5070))),
    ],
)
def test_listen_is_read(text, listen):
    assert parse_listen(text) == listen
    assert parse_listen(str(listen)) == listen


@pytest.mark.parametrize(
    "text",
    [
        "", "udp", "udp:", "127.0.0.1:5060", "sctp:127.0.0.1:5060", "udp:127.0.0.1", "udp::5060", "udp:127.0.0.1:",
        "udp:127.0.0.1:65536", "udp:127.0.0.1:-1", "udp:127.0.0.1:٥", "udp:::1:5060", "udp:[::1:5060", "udp:[::1]5060",
        "udp:[192.0.2.1]:5060", "udp:example.com:5060", "udp:127.0.0.1:5060/", "udp:127.0.0.1:5060/192.0.2.1:0",
        "udp:127.0.0.1:5060/a b", "udp:127.0.0.1:5060/2001:db8::1", "udp:127.0.0.256:5060",
    ],
)  # fmt: skip
def test_a_wrong_listen_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_listen(text)


_addresses = st.ip_addresses().filter(lambda address: getattr(address, "scope_id", None) is None).map(str)
_advertised = st.tuples(_addresses | st.just("pbx.example.com"), st.integers(1, 65535))


@given(st.sampled_from(addresses.KNOWN_TRANSPORTS), _addresses, st.integers(0, 65535), st.none() | _advertised)
def test_listen_prints_as_it_parses(transport, host, port, advertised):
    listen = Listen(transport, host, port, advertised)
    assert parse_listen(str(listen)) == listen


@given(st.text())
def test_any_text_is_read_or_refused_with_value_error(text):
    for parse in (parse_listen, parse_address, addresses.parse_host):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)


def test_the_line_of_a_key():
    text = 'a = """\nb = 1\n"""\n"b" = [\n  1,\n]\n[c.d] # x\ne.f = 1\n\'g\' = 2\n'
    assert line_of(text, ("a",)) == 1
    assert line_of(text, ("b",)) == 4
    assert line_of(text, ("c",)) == line_of(text, ("c", "d")) == 7
    assert line_of(text, ("c", "d", "e", "f")) == 8
    assert line_of(text, ("c", "d", "g")) == 9
    assert line_of(text, ("c", "d", "missing")) == 7


# ---- links


GOOD = "first=udp:127.0.0.1:5070=127.0.0.2:5071"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("udp:127.0.0.1:5070", "is not NAME=TRANSPORT:HOST:PORT=HOST:PORT"),
        ("first=udp:127.0.0.1:5070", "is not NAME=TRANSPORT:HOST:PORT=HOST:PORT"),
        ("=udp:127.0.0.1:5070=127.0.0.2:5071", "the link has no name"),
        ("a b=udp:127.0.0.1:5070=127.0.0.2:5071", "letters, digits, - and _ only"),
        ("first=ws:127.0.0.1:5070=127.0.0.2:5071", "a link is by udp or tcp or tls"),
        ("first=tls:0.0.0.0:5070=cm.example.com:5071", "a link is at one address"),
        ("first=tls:127.0.0.1:5070=cm.example.com:0", "the peer's port is needed"),
        ("first=tls:127.0.0.1:5070=-:5071", "is not a host name"),
        ("first=tls:127.0.0.1:5070=[fd00::1]:5071", "one is IPv4, the other IPv6"),
        ("first=udp:127.0.0.1:5070/192.0.2.1=127.0.0.2:5071", "no other address to be advertised"),
        ("first=udp:0.0.0.0:5070=127.0.0.2:5071", "0.0.0.0 is neither loopback nor private"),
        ("first=udp:127.0.0.1:5070=192.0.2.2:5071", "192.0.2.2 is neither loopback nor private"),
        ("first=udp:127.0.0.1:5070=[fd00::1]:5071", "one is IPv4, the other IPv6"),
        ("first=udp:127.0.0.1:5070=127.0.0.2:0", "the peer's port is needed"),
        ("first=udp:127.0.0.1:5070=cm.example.com:5071", "'cm.example.com' is a name"),
    ],
)
def test_what_is_no_link(text, wrong):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, {"links": (text,)})
    assert wrong in str(caught.value) and str(caught.value).startswith("--links: ")


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"links": (GOOD, GOOD.replace("5070", "5072"))}, "the name 'first' is taken already"),
        ({"links": (GOOD.replace("first", "cm"),)}, "the name 'cm' is taken already"),
        ({"links": (GOOD, GOOD.replace("first", "second"))}, "udp:127.0.0.1:5070 stands there twice"),
        ({"links": (GOOD,), "listen": ("udp:127.0.0.1:5070",)}, "udp:127.0.0.1:5070 stands there twice"),
        ({"links": (GOOD.replace("udp", "tls"),)}, "tls:127.0.0.1:5070 needs tls_cert, and tls_ca"),
        ({"links": (GOOD.replace("udp", "tls"),), "tls_cert": "a.pem"}, "tls:127.0.0.1:5070 needs tls_cert, and tls_ca"),
    ],
)
def test_links_that_cannot_stand_together(settings, wrong):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, settings).check()
    assert wrong in str(caught.value)


@pytest.mark.parametrize("peer", ["CM.example.com.:5071", "192.0.2.7:5071", "[2001:db8::7]:5071"])
def test_a_link_by_tls_may_go_anywhere(peer):
    ours = "[2001:db8::1]" if peer.startswith("[") else "192.0.2.1"
    settings = load_settings(None, {}, {"links": (f"a=tls:{ours}:5070={peer}",), "tls_cert": "a.pem", "tls_ca": "b.pem"})
    settings.check()
    assert settings.links[0].peer == (peer.rpartition(":")[0].strip("[]").rstrip(".").lower(), 5071)


def test_the_peer_of_a_link_is_spelled_as_the_kernel_spells_it():
    """It is heard by the address that its datagrams come from."""
    settings = load_settings(None, {}, {"links": ("a=udp:[fd00::1]:5070=[FD00:0::2]:5071",)})
    assert settings.links[0].peer == ("fd00::2", 5071)


def test_without_a_feature_server_in_process_its_name_is_free():
    load_settings(None, {}, {"links": (GOOD.replace("first", "cm"),), "feature_server": "none"}).check()


ELSEWHERE = {"listen": ("udp:127.0.0.2:5071",), "session_manager": "127.0.0.1:5070"}


def test_settings_of_a_feature_server():
    assert load_settings(None, {}, ELSEWHERE).check_feature_server() == Listen("udp", "127.0.0.2", 5071)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"session_manager": None}, "session_manager: Session Manager's address is needed"),
        ({"listen": ("udp:127.0.0.2:1", "udp:127.0.0.2:2")}, "listen: one listener is needed"),
        ({"listen": ("udp:127.0.0.2:1/192.0.2.1",)}, "listen: one listener is needed"),
        ({"listen": ("udp:0.0.0.0:5071",)}, "listen: 0.0.0.0 is neither loopback nor private"),
        ({"session_manager": "192.0.2.1:5070"}, "listen: 192.0.2.1 is neither loopback nor private"),
        ({"session_manager": "[::1]:5070"}, "one is IPv4, the other IPv6"),
        ({"listen": ("ws:127.0.0.2:5071",)}, "a link is by udp or tcp"),
        ({"feature_server": "none"}, "feature_server: the name of a plugin is needed"),
        ({"trace": "0", "trace_keep": "1h"}, "trace_keep: without a trace there is nothing to keep"),
    ],
)
def test_what_a_feature_server_cannot_start_with(settings, wrong):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, ELSEWHERE | settings).check_feature_server()
    assert wrong in str(caught.value)


def test_the_sample_of_a_feature_server_can_be_used_as_it_is():
    settings = load_settings(SAMPLE.parent / "feature-server.toml", {}, {}, http=("", 0), listen=())
    listen = settings.check_feature_server()
    # What it says of its Session Manager is the other end of the same link.
    text = (SAMPLE.parent / "feature-server.toml").read_text(encoding="utf-8")
    link = re.search(r'links = \["(.*)"\]', text)
    assert link is not None
    (known,) = load_settings(None, {}, {"links": (link[1],), "feature_server": "none"}).links
    assert known.peer == (listen.host, listen.port) and known.name == settings.name
    assert settings.session_manager == (known.listen.host, known.listen.port)


def test_a_command_may_have_other_defaults():
    assert load_settings(None, {}, {}, http=("", 0)).http == ("", 0)
    assert load_settings(None, {"B2BUA_HTTP": "127.0.0.1:9"}, {}, http=("", 0)).http == ("127.0.0.1", 9)


# ---- documentation


def test_every_field_has_a_docstring():
    for owner in (Settings, Listen, Link):
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0].body
        for statement, following in zip(body, [*body[1:], None], strict=True):
            if isinstance(statement, ast.AnnAssign):
                assert isinstance(following, ast.Expr), f"{owner.__name__}.{ast.unparse(statement.target)}"


def test_the_sample_names_every_setting_with_its_default(tmp_path):
    sample = SAMPLE.read_text(encoding="utf-8")
    settings = re.sub(r"^# (?=[a-z_]+ = |\[)", "", sample, flags=re.MULTILINE)
    assert from_file(tmp_path, settings) == Settings()
    assert set(re.findall(r"^(?:#-? )?\[?([a-z_]+)(?: = |\])", sample, re.MULTILINE)) == set(FIELDS)


def test_the_sample_can_be_used_as_it_is_and_in_full(tmp_path):
    sample = SAMPLE.read_text(encoding="utf-8")
    assert load_settings(SAMPLE, {}, {}) == Settings()
    settings = from_file(tmp_path, re.sub(r"^#-? (?=[A-Za-z0-9_]+ = |\[)", "", sample, flags=re.MULTILINE))
    assert (settings.users, settings.challenge) == (Path("users.csv"), {"BYE": "407"})
    assert settings.user_digest_algorithms == {"6002": ("SHA-256", "MD5")}
    assert settings.user_profiles == {"6003": ("single_dialog", "pvalue")}
    settings.check()
