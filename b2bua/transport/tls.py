"""TLS 1.2 and 1.3 for SIP (RFC 3261 §26.3.1, §26.2.1): certificates from files, for listeners and for what we open ourselves.

Every connection takes the credentials that are in use when it is made, so that new files need no restart. Nobody is made to
show a certificate, a phone has its digest; but one that is shown must be signed by the authorities that are trusted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:!aNULL:!PSK:!SRP:!MD5"
"""Of TLS 1.2, each with forward secrecy; those of TLS 1.3 are all good."""
_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | getattr(SSL, "OP_NO_RENEGOTIATION", 0x40000000)
_SESSIONS: Final = b"b2bua"
"""OpenSSL lets nobody resume a session that a client certificate may belong to, unless the context has a name."""


class TlsFileError(Exception):
    """A file that cannot be used. `key` is its setting, the text one line that begins with its path."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class Files(NamedTuple):
    """Where the certificates lie, all in PEM."""

    certificate: Path
    """Ours, then those between it and the root."""
    key: Path | None = None
    """Its private key without a passphrase; None: in the certificate's file."""
    authorities: Path | None = None
    """Whom we trust: with them set, clients of TLS listeners are asked for a certificate. None: for what we open ourselves
    those of the operating system."""


class Credentials(NamedTuple):
    """What was read from the files."""

    phones: SSL.Context
    """For those who connect over TLS."""
    browsers: SSL.Context
    """For those who connect over secure WebSocket: no certificate is asked for, or each browser would ask its user."""
    outward: SSL.Context
    """For connections that we open."""


def load(files: Files) -> Credentials:
    """Read the files; TlsFileError for the first that cannot be used."""
    phones, browsers, outward = (_context(files) for _ in range(3))
    if files.authorities is None:
        outward.set_default_verify_paths()
    else:
        _trust(phones, files.authorities)
        _trust(outward, files.authorities)
        phones.load_client_ca(str(files.authorities).encode())  # by whose names a client picks its certificate
        phones.set_verify(SSL.VERIFY_PEER, _as_openssl_says)
    outward.set_verify(SSL.VERIFY_PEER, _as_openssl_says)
    return Credentials(phones, browsers, outward)


def _context(files: Files) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(CIPHERS)
    context.set_session_id(_SESSIONS)
    key = files.key or files.certificate
    _readable("tls_cert", files.certificate)
    try:
        context.use_certificate_chain_file(str(files.certificate))
    except SSL.Error:
        raise TlsFileError("tls_cert", f"{files.certificate}: no certificate in PEM") from None
    _check_key(key)
    try:
        context.use_privatekey_file(str(key))
    except SSL.Error:
        raise TlsFileError("tls_key", f"{key}: this is not the certificate's private key") from None
    return context


def _check_key(path: Path) -> None:
    """Before OpenSSL sees it, which would ask for a passphrase on the terminal."""
    _readable("tls_key", path)
    try:
        load_pem_private_key(path.read_bytes(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise TlsFileError("tls_key", f"{path}: no private key in PEM without a passphrase") from None


def _readable(key: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise TlsFileError(key, f"{path}: {error.strerror}") from None


def _trust(context: SSL.Context, authorities: Path) -> None:
    _readable("tls_ca", authorities)
    try:
        context.load_verify_locations(str(authorities))
    except SSL.Error:
        raise TlsFileError("tls_ca", f"{authorities}: no certificates in PEM") from None


def _as_openssl_says(connection: object, certificate: object, number: int, depth: int, good: int) -> bool:
    return bool(good)


def proves(connection: SSL.Connection, host: str) -> bool:
    """Whether the peer's certificate, which is signed as it should be, stands for this IP address; not without one."""
    if connection.get_peer_certificate() is None:
        return False
    try:
        verify_ip_address(connection, host)
    except (CertificateError, VerificationError):
        return False
    return True


class Tls:
    """The credentials in use, for all listeners of a server."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        """Replaced as a whole; connections that stand keep theirs."""

    def accepting(self, factory: Any, reactor: Any, web: bool) -> Any:
        """A factory of connections that peers open, wrapped in TLS."""
        return _Factory(_Accepting(self, web), False, factory, reactor)

    def connecting(self, factory: Any, reactor: Any) -> Any:
        """A factory of connections that we open, wrapped in TLS."""
        return _Factory(_Connecting(self), True, factory, reactor)


class _Factory(TLSMemoryBIOFactory):
    def buildProtocol(self, addr: Any) -> Any:
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


@implementer(IOpenSSLServerConnectionCreator)
class _Accepting:
    def __init__(self, tls: Tls, web: bool) -> None:
        self._tls = tls
        self._web = web

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        credentials = self._tls.credentials
        return SSL.Connection(credentials.browsers if self._web else credentials.phones, None)


@implementer(IOpenSSLClientConnectionCreator)
class _Connecting:
    def __init__(self, tls: Tls) -> None:
        self._tls = tls

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._tls.credentials.outward, None)
