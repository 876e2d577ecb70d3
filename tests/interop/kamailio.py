"""Kamailio as a process of its own, on a loopback address of its own."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final

from tests.certificates import Issued
from tests.interop.server import NotReached, free_port, wait_until

TEMPLATE: Final = Path(__file__).with_name("kamailio.cfg")
APPLICATION: Final = Path(__file__).with_name("kamailio_application.cfg")
"""As an application in the sequence, in place of a trunk."""
START_SECONDS: Final = 10.0


class Kamailio:
    """Runs between `upstream`, the server's URI, and `far`, the URI of a phone behind it. Speaks UDP to the phone, and the
    transport with the server; by TLS it shows `issued` and wants `authority`'s signature. `challenges`: realm, user name and
    password that it wants from everybody but the phone, for each request."""

    def __init__(
        self, directory: Path, host: str, transport: str, upstream: str, far: tuple[str, int],
        issued: Issued | None = None, authority: Path | None = None, challenges: tuple[str, str, str] | None = None,
        template: Path = TEMPLATE,
    ) -> None:  # fmt: skip
        directory.mkdir(parents=True)
        self.host = host
        self.port = free_port(host, socket.SOCK_DGRAM, socket.SOCK_STREAM, span=2)
        self.trunk_port = self.port + 1 if transport == "tls" else self.port
        listen = [f"listen=udp:{host}:{self.port}"]
        if transport != "udp":
            listen.append(f"listen={transport}:{host}:{self.trunk_port}")
        tls = ""
        if issued is not None:
            (directory / "tls.cfg").write_text(_profiles(issued, authority))
            tls = f'loadmodule "tls.so"\nmodparam("tls", "config", "{directory / "tls.cfg"}")'
            listen.append("enable_tls=yes")
        text = template.read_text()
        for word, value in (
            ("AUTHMODULE", "" if challenges is None else 'loadmodule "auth.so"'), ("CHALLENGE", _challenge(far[0], challenges)),
            ("LISTEN", "\n".join(listen)), ("TCP", "disable_tcp=yes" if transport == "udp" else "tcp_connection_lifetime=3600"),
            ("TLS", tls), ("UPSTREAM", upstream), ("FARHOST", far[0]), ("FAR", f"sip:{far[0]}:{far[1]}"), ("HOST", host),
        ):  # fmt: skip
            text = _replaced(text, word, value)
        config = directory / "kamailio.cfg"
        config.write_text(text)
        self.log = directory / "kamailio.log"
        program = shutil.which("kamailio") or "/usr/sbin/kamailio"
        with self.log.open("wb") as log:
            argv = [program, "-f", str(config), "-DD", "-E", "-n", "1", "-m", "16", "-Y", str(directory)]
            argv += ["-P", str(directory / "pid")]
            self.process = subprocess.Popen(argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until("Kamailio answers", self._answers, START_SECONDS)
        except BaseException:
            self.stop()
            print(self.log.read_text(errors="replace")[-3000:])
            raise

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise NotReached(f"Kamailio ended with {self.process.returncode}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.host, 0))
            probe.settimeout(0.2)
            port = probe.getsockname()[1]
            lines = [
                f"OPTIONS sip:{self.host} SIP/2.0", f"Via: SIP/2.0/UDP {self.host}:{port};branch=z9hG4bKprobe;rport",
                "From: <sip:probe@example.org>;tag=1", f"To: <sip:{self.host}>", "Call-ID: probe", "CSeq: 1 OPTIONS",
                "Max-Forwards: 5", "Content-Length: 0", "", "",
            ]  # fmt: skip
            probe.sendto("\r\n".join(lines).encode(), (self.host, self.port))
            try:
                return probe.recv(4096).startswith(b"SIP/2.0 200")
            except (TimeoutError, ConnectionError):
                return False

    def stop(self) -> None:
        """Its main process ends the others."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)


def _replaced(text: str, word: str, value: str) -> str:
    """A word in capitals that stands for itself: alone in its line, after = or within quotes."""
    return re.sub(rf"(?<![A-Z_]){word}(?![A-Z_a-z])", lambda _: value, text)


def _challenge(far: str, challenges: tuple[str, str, str] | None) -> str:
    if challenges is None:
        return ""
    realm, user, password = challenges
    # A challenge is sent by a transaction, which takes its ACK, too; t_check_trans() does not return from there.
    return (
        f'if (is_method("ACK")) {{ t_check_trans(); }}\n    if ($si != "{far}" && !is_method("ACK|OPTIONS")) {{\n'
        f'        if ($au != "{user}" || !pv_proxy_authenticate("{realm}", "{password}", "0")) {{\n'
        f'            t_newtran(); proxy_challenge("{realm}", "0"); exit;\n        }}\n        consume_credentials();\n    }}'
    )


def _profiles(issued: Issued, authority: Path | None) -> str:
    paper = f"method = TLSv1.2+\ncertificate = {issued.certificate}\nprivate_key = {issued.key}\nca_list = {authority}\n"
    wanted = "verify_certificate = yes\nrequire_certificate = yes\n"
    return f"[server:default]\n{paper}{wanted}\n[client:default]\n{paper}{wanted}"
