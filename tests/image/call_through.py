"""The built image: what it says about itself, and two phones with a held call through it, as deploy/README.md tells it.

Not collected by `make test`: it needs the image, root, and a network namespace of its own, because the image listens on
its default ports. `make image` sees to all three.
"""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2bua.config.sources import load_settings
from tests.deploy.compose import ROOT, services
from tests.image.build import Image, inspect
from tests.image.container import Container, Root
from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN, wait_until
from tests.interop.wire import lamp

HOST = "127.0.0.1"
SMALL = 400e6
"""Bytes; a compiler or the build's own packages in it would be more."""


def documented() -> list[str]:
    """What the documents have run inside the container."""
    text = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^    docker compose exec pbx (.*)$", text, re.MULTILINE)
    assert len(found) > 3
    return found


@pytest.fixture(scope="session")
def image() -> Image:
    return inspect()


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    made = Root()
    yield made.path
    made.close()


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """What Compose gives the PBX, with the one variable that the documents have one set."""
    found: dict[str, str] = services(B2BUA_ADVERTISED=HOST, B2BUA_DOMAIN=DOMAIN)["pbx"]["environment"]
    return found


@pytest.fixture(scope="module")
def container(
    image: Image, root: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """A first start, with the users that it made; ends by its stop signal, cleanly."""
    started = Container(image, root, tmp_path_factory.mktemp("container"), environment, HOST)
    try:
        users = started.shell("cat var/initial-users").stdout
        started.know(dict(line.split(",", 1) for line in users.splitlines()))
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


@pytest.fixture
def lab(container: Container, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(container, tmp_path)
    yield made
    made.close()


# ---- what the image is


def test_it_is_no_root_and_no_more_than_the_server(image: Image, root: Path) -> None:
    assert image.user.isdecimal() and image.user != "0"
    assert image.ports == {"5060/udp", "5060/tcp", "8080/tcp"}
    assert image.entrypoint + image.command == ("b2bua", "run")
    assert image.size < SMALL
    installed = {path.name.partition("-")[0] for path in (root / "opt/b2bua").glob("lib/python3.*/site-packages/*")}
    assert {"b2bua", "plugins", "twisted"} <= installed
    assert not {"pip", "setuptools", "mypy", "mypyc", "pytest", "tests"} & installed
    assert not (root / "src").exists() and not list(root.glob("usr/bin/*gcc*"))


def test_nothing_of_this_machine_is_in_it(image: Image, root: Path) -> None:
    """What was mounted for pip while it was built left empty places at most."""
    settings = [*root.glob("etc/xdg/pip/*"), root / "etc/pip.conf"]
    assert [path for path in settings if path.exists() and path.read_bytes()] == []
    assert all(name == "PATH" or name.startswith(("PYTHON", "B2BUA_")) for name in image.environment)


# ---- how it runs


def test_it_runs_as_process_1_without_rights(container: Container, image: Image) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{container.pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert set(status["Uid"].split()) == {image.user} and "0" not in status["Gid"].split() + status["Groups"].split()
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0 and status["NoNewPrivs"] == "1"
    assert status["NSpid"].split()[-1] == "1"


def test_its_core_is_compiled(container: Container) -> None:
    done = container.execute("python", "-c", "import b2bua.sip.message as module; print(module.__file__)")
    assert done.stdout.endswith(".so\n"), done.stdout + done.stderr


def test_it_writes_to_its_volume_only(container: Container) -> None:
    for path in ("/x", "/srv/b2bua/x", "/opt/b2bua/x", "/etc/x"):
        assert "Read-only file system" in container.execute("touch", path).stderr
    written = {path.name for path in (container.directory / "volume").iterdir()}
    assert {"b2bua.db", "initial-users"} <= written


def test_its_health_check_tells_ready_from_not(container: Container, image: Image) -> None:
    done = container.execute(*image.health)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert container.execute(*image.health, B2BUA_HTTP="127.0.0.1:9").returncode == 1


def test_http_shows_the_public_paths_only(container: Container) -> None:
    assert container.get("/healthz") == "ok\n" and container.get("/readyz") == "ready\n"
    assert "b2bua_build_info{" in container.get("/metrics")
    with pytest.raises(urllib.error.HTTPError) as refused:
        container.get("/api/trace")
    assert refused.value.code == 403


def test_what_is_published_is_open(container: Container, environment: dict[str, str]) -> None:
    """UDP is tried by the phones below."""
    listeners = load_settings(None, environment, {}).listen
    ports = [each.port for each in listeners if each.transport != "udp"]
    assert all(container.is_open(port) for port in (8080, *ports))


@pytest.mark.parametrize("line", documented())
def test_documented_commands_work_in_it(line: str, container: Container) -> None:
    """`docker compose exec pbx …` of deploy/README.md, in its order."""
    done = container.shell(line, "by-hand\n")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout


# ---- phones


def test_two_phones_talk_and_the_held_call_is_counted(lab: Lab, container: Container) -> None:
    """The state that the dashboard shows: registered, in a call, held, talking again, over; and the lamp likewise."""
    a, b = lab.phones(2)
    assert container.metric("b2bua_registrations_active") == 2
    watch = lab.start(Caller(a.user).subscribe().answer_notifies(), lab.phone())
    wait_until("first NOTIFY", lambda: bool(watch.received("NOTIFY")))
    far = lab.start(
        Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed(), b
    )
    near = lab.start(Caller(b.user).dial().pause(1150).reinvite("sendonly").pause(1150).reinvite("sendrecv").bye(), a)
    wait_until("talking", lambda: container.metric("b2bua_calls_active", state="confirmed") == 1)
    wait_until("held", lambda: container.metric("b2bua_calls_active", state="held") == 1)
    near.finish()
    far.finish()
    wait_until("over", lambda: container.metric("b2bua_calls_active") == 0)
    assert container.metric("b2bua_reinvites_total", kind="hold", result="ok") == 1
    wait_until("lamp out", lambda: lamp(watch.received("NOTIFY")[-1].body).state == "terminated")
    assert "no" in [lamp(message.body).local for message in watch.received("NOTIFY")]


def test_phones_are_told_the_advertised_address_and_port(lab: Lab, container: Container) -> None:
    a, b = lab.phones(2)
    far = lab.start(Callee().ring().accept().byed(), b)
    lab.start(Caller(b.user).dial().bye(), a).finish()
    far.finish()
    [invite] = far.received("INVITE")
    for header in ("Via", "Record-Route", "Contact"):
        hosts = set(re.findall(r"(?:@|sip:|UDP )([\d.]+:\d+)", invite.get(header)))
        assert f"{HOST}:5060" in hosts, (header, invite.get(header))


def test_a_new_container_has_the_users_of_its_volume(
    image: Image, root: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """As documented: `exec pbx b2bua user …`, and an image built anew goes on with the volume. Beside the other one."""
    elsewhere = environment | {"B2BUA_LISTEN": f"udp:{HOST}:5070", "B2BUA_HTTP": f"{HOST}:8090"}

    def start() -> Container:
        return Container(image, root, tmp_path, elsewhere, HOST, 5070, 8090)

    first = start()
    try:
        assert first.shell("b2bua user list").stdout.split() == [str(number) for number in range(6001, 6011)]
        assert first.shell("b2bua user add 6077", "by-hand\n").returncode == 0
        assert first.execute(*image.health).returncode == 0
        assert first.stop() == 0
        second = start()
        try:
            second.know({"6077": "by-hand"})
            lab = Lab(second, tmp_path / "lab")
            lab.phones(1)
            lab.close()
            assert second.stop() == 0
        finally:
            second.kill()
    finally:
        first.kill()
