"""docker-compose.yml and its override for host networking, as Compose itself reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from b2bua.config.sources import load_settings
from tests.deploy.compose import FILE, HOST_FILE, ROOT, compose, services

HOST = (FILE, HOST_FILE)
PINNED = re.compile(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+")
EXAMPLE = ROOT / "deploy" / "env.example"


def binds(service: dict[str, Any]) -> dict[str, Path]:
    """Where in the container → what of ours."""
    return {each["target"]: Path(each["source"]) for each in service["volumes"] if each["type"] == "bind"}


def published(service: dict[str, Any]) -> set[tuple[str, int, str]]:
    """(the host's address or "" for all, port, protocol); the port is the same on both sides."""
    ports = service.get("ports", [])
    assert all(int(each["published"]) == each["target"] for each in ports)
    return {(each.get("host_ip", ""), each["target"], each["protocol"]) for each in ports}


@pytest.mark.parametrize("files", [(FILE,), HOST], ids=["bridge", "host"])
def test_compose_has_nothing_to_say(files: tuple[str, ...]) -> None:
    done = compose("config", "-q", files=files)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_compose_would_speak_up(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text("services:\n  pbx:\n    image: b2bua\n    portz: []\n")
    assert compose("config", "-q", files=(str(bad),)).returncode != 0


def test_images_of_others_are_pinned() -> None:
    found = {name: service["image"] for name, service in services().items() if "build" not in service}
    assert set(found) == {"prometheus", "grafana"}
    assert all(PINNED.fullmatch(image) for image in found.values()), found


@pytest.mark.parametrize("files", [(FILE,), HOST], ids=["bridge", "host"])
def test_nothing_has_more_rights_than_it_needs(files: tuple[str, ...]) -> None:
    for service in services(files).values():
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert services(files)["pbx"]["read_only"] is services(files)["prometheus"]["read_only"] is True


def test_only_sip_is_published_off_loopback() -> None:
    found = services()
    assert {each for each in published(found["pbx"]) if each[0] != "127.0.0.1"} == sip_ports(found["pbx"])
    everything = published(found["pbx"]) | published(found["prometheus"]) | published(found["grafana"])
    assert {(port, protocol) for host, port, protocol in everything if host == "127.0.0.1"} == {
        (8080, "tcp"), (9090, "tcp"), (3000, "tcp"),
    }  # fmt: skip


def sip_ports(pbx: dict[str, Any]) -> set[tuple[str, int, str]]:
    """What the PBX listens on, by the settings that it is given."""
    listeners = load_settings(None, pbx["environment"], {}).listen
    return {("", each.port, "udp" if each.transport == "udp" else "tcp") for each in listeners}


def test_phones_are_told_the_advertised_address() -> None:
    environment = services(B2BUA_ADVERTISED="192.0.2.1", B2BUA_DOMAIN="example.com")["pbx"]["environment"]
    settings = load_settings(None, environment, {})
    settings.check()
    assert settings.domain == "example.com"
    assert {each.advertised for each in settings.listen} == {("192.0.2.1", 5060)}


def test_on_the_hosts_network_the_default_listeners_are_open() -> None:
    pbx = services(HOST, B2BUA_ADVERTISED="192.0.2.1")["pbx"]
    assert pbx["network_mode"] == "host" and published(pbx) == set()
    assert load_settings(None, pbx["environment"], {}).listen == load_settings(None, {}, {}).listen


@pytest.mark.parametrize("files", [(FILE,), HOST], ids=["bridge", "host"])
def test_what_is_mounted_is_there(files: tuple[str, ...]) -> None:
    found = services(files)
    for service in found.values():
        for target, source in binds(service).items():
            assert source.is_relative_to(ROOT) and source.is_dir(), target
    assert (binds(found["prometheus"])["/etc/prometheus"] / "prometheus.yml").is_file()
    home = found["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (binds(found["grafana"])["/etc/grafana/dashboards"] / Path(home).name).is_file()


def test_prometheus_asks_a_name_that_it_can_reach() -> None:
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    assert '"pbx:8080"' in text
    assert services(HOST)["prometheus"]["extra_hosts"] == ["pbx=host-gateway"]


def test_no_password_is_written_down() -> None:
    """Only what the environment has; without it Grafana's is random (the entry point makes it)."""
    for name, value in services()["grafana"]["environment"].items():
        assert "PASSWORD" not in name or value == "", name
    assert services(GRAFANA_ADMIN_PASSWORD="by-hand")["grafana"]["environment"]["GRAFANA_ADMIN_PASSWORD"] == "by-hand"
    assert re.search(r"^GRAFANA_ADMIN_PASSWORD=$", EXAMPLE.read_text(), re.MULTILINE)


def documented() -> list[str]:
    """The lines `docker compose …` of deploy/README.md."""
    text = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^ {4,}docker compose (.*)$", text, re.MULTILINE)
    assert len(found) > 3
    return found


@pytest.mark.parametrize("line", documented())
def test_documented_calls_of_compose_are_understood(line: str) -> None:
    """No engine runs them here: the files are there, and Compose knows the command, its options and its service."""
    words = line.split()
    while words[0] == "-f":
        assert (ROOT / words[1]).is_file()
        words = words[2:]
    verb, *rest = words
    told = compose(verb, "--help").stdout
    assert told.startswith("Usage:")
    if verb == "exec":
        assert rest[0] in services()
    else:
        assert all(re.search(rf"{word}\b", told) for word in rest)


def test_the_example_names_every_variable() -> None:
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / FILE).read_text() + (ROOT / HOST_FILE).read_text()))
    assert set(re.findall(r"^(\w+)=", EXAMPLE.read_text(), re.MULTILINE)) == asked - {"NAME"}
