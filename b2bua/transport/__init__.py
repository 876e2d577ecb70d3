"""Transports: bytes in, bytes out, and where from. The edges where Twisted and sockets live."""
