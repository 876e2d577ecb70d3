"""A socket that says anything: for what no phone would send, and for a phone that keeps its old credentials."""

from __future__ import annotations

import hashlib
import socket
from itertools import count

from tests.interop.server import DOMAIN, Server
from tests.interop.wire import Message, parameter

ANSWER_SECONDS = 3.0
SDP = "v=0\r\no=raw 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{media}"
AUDIO = "m=audio 40000 RTP/AVP 0\r\na=sendrecv\r\n"


class Raw:
    """One UDP socket towards a server. `user` and its password are what it signs with."""

    def __init__(self, server: Server, user: str) -> None:
        self.user = user
        self._password = server.users[user]
        self._server = server
        self._numbers = count(1)
        self._socket = self._opened()
        self._socket.settimeout(ANSWER_SECONDS)
        self.port = int(self._socket.getsockname()[1])

    transport = "UDP"

    def _opened(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self._server.host, 0))
        return made

    def close(self) -> None:
        self._socket.close()

    def number(self) -> int:
        return next(self._numbers)

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, (self._server.host, self._server.port))

    def receive(self) -> Message:
        """The next message; TimeoutError when none comes."""
        return Message.read(self._socket.recv(65535).decode("utf-8", "replace"))

    def answer(self, text: str | bytes) -> Message:
        """Send, and wait for a final answer."""
        self.send(text if isinstance(text, bytes) else text.encode())
        while True:
            message = self.receive()
            if message.status >= 200:
                return message

    def lines(
        self, method: str, uri: str = f"sip:{DOMAIN}", to: str = "", cseq: int = 1, call_id: str = ""
    ) -> dict[str, str]:
        """The headers of a proper request, in order, to be bent by a test."""
        number = self.number()
        return {
            "": f"{method} {uri} SIP/2.0",
            "Via": f"SIP/2.0/{self.transport} {self._server.host}:{self.port};branch=z9hG4bKraw{self.port}x{number}",
            "From": f"<sip:{self.user}@{DOMAIN}>;tag=raw{number if not call_id else 0}",
            "To": f"<{to or uri}>",
            "Call-ID": call_id or f"raw-{self.port}-{number}",
            "CSeq": f"{cseq} {method}",
            "Max-Forwards": "70",
            "Contact": f"<sip:{self.user}@{self._server.host}:{self.port}>",
        }

    def sdp(self, media: str = AUDIO) -> str:
        return SDP.format(host=self._server.host, media=media)

    def register(self) -> int:
        """One REGISTER of its user, challenged; the status that it gets with credentials."""
        lines = self.lines("REGISTER", to=f"sip:{self.user}@{DOMAIN}")
        return self.answer(text(again(self, lines, self.answer(text(lines))))).status

    def credentials(self, challenge: Message, method: str, uri: str, nc: int = 1) -> tuple[str, str]:
        """The header that answers a challenge (RFC 7616 §3.4.1, MD5, qop=auth)."""
        proxy = challenge.status == 407
        value = challenge.get("Proxy-Authenticate" if proxy else "WWW-Authenticate")
        realm, nonce = parameter(value, "realm"), parameter(value, "nonce")
        ha1 = _md5(f"{self.user}:{realm}:{self._password}")
        count_text, cnonce = f"{nc:08x}", "0a4f113b"
        response = _md5(f"{ha1}:{nonce}:{count_text}:{cnonce}:auth:{_md5(f'{method}:{uri}')}")
        text = (
            f'Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
            f'algorithm=MD5, qop=auth, nc={count_text}, cnonce="{cnonce}"'
        )
        return ("Proxy-Authorization" if proxy else "Authorization"), text


class RawStream(Raw):
    """The same over one TCP connection. `Content-Length` stands in what `text` makes; `closed` says how it ended."""

    transport = "TCP"

    def __init__(self, server: Server, user: str, buffer: int = 0) -> None:
        self._buffer = buffer
        """Bytes that the kernel takes in for a reader that does not read; 0 = its own idea."""
        self._read = b""
        super().__init__(server, user)

    def _opened(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if self._buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        made.bind((self._server.host, 0))
        made.settimeout(ANSWER_SECONDS)
        made.connect((self._server.host, self._server.port))
        return made

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> Message:
        while b"\r\n\r\n" not in self._read:
            self._read += self._some()
        head, _, rest = self._read.partition(b"\r\n\r\n")
        message = Message.read(head.decode("utf-8", "replace"))
        length = message.integer("Content-Length")
        while len(rest) < length:
            rest += self._some()
        self._read = rest[length:]
        return Message.read((head + b"\r\n\r\n" + rest[:length]).decode("utf-8", "replace"))

    def _some(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data

    def bytes(self, count: int) -> bytes:
        """So many bytes as they come."""
        data = b""
        while len(data) < count:
            data += self._socket.recv(count - len(data))
        return data

    def closed(self) -> bool:
        """Whether the server closes the connection; what it still sends is dropped. TimeoutError when it does not."""
        try:
            while self._socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        return True


def again(raw: Raw, lines: dict[str, str], challenge: Message) -> dict[str, str]:
    """The lines of the same request with credentials: CSeq + 1, a new branch."""
    number, method = lines["CSeq"].split()
    name, value = raw.credentials(challenge, method, lines[""].split()[1])
    branch = f"{lines['Via']}n{raw.number()}"
    return lines | {"CSeq": f"{int(number) + 1} {method}", "Via": branch, name: value}


def text(lines: dict[str, str], body: str = "", content_type: str = "application/sdp") -> str:
    """A request as on the wire; Content-Length is true unless it is among the lines."""
    head = [lines[""], *(f"{name}: {value}" for name, value in lines.items() if name)]
    if body:
        head.append(f"Content-Type: {content_type}")
    if "Content-Length" not in lines:
        head.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(head) + "\r\n\r\n" + body


def _md5(value: str) -> str:
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
