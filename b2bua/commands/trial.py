"""`b2bua try`: a call between two scripted phones through a running server."""

from __future__ import annotations

from pathlib import Path

import click

from b2bua.config.addresses import parse_peer
from b2bua.store.interface import StoreError


@click.command("try")
@click.argument("caller")
@click.argument("callee")
@click.option("--server", default="127.0.0.1:5060", show_default=True, metavar="HOST:PORT", help="Where it hears SIP by UDP.")
@click.option("--domain", default="lab.internal", show_default=True, metavar="NAME", help="Its SIP domain.")
@click.option(
    "--users", default="var/initial-users", show_default=True, metavar="FILE", help="Lines user,password: those of the phones."
)
@click.option("--show", default="", metavar="HEADER", help="Print this header of the INVITE as the callee has it.")
@click.option("--seconds", default=1.0, show_default=True, type=click.FloatRange(0, 3600), help="How long they talk.")
def try_call(caller: str, callee: str, server: str, domain: str, users: str, show: str, seconds: float) -> int:
    """Register CALLER and CALLEE as scripted phones, call, and print what they saw; exit status 1 when it was not answered.

    A CALLEE without a line in FILE is dialled only.
    """
    from b2bua.phone.trial import Trial, TrialError, run  # Late: no other command needs a reactor here.
    from b2bua.transport.address import kernel_address

    try:
        address = parse_peer(server)
        passwords = _passwords(Path(users))
        host = kernel_address("0.0.0.0" if ":" not in address[0] else "::", address)
        return run(lambda reactor: Trial(reactor, address, host, domain, passwords, show, click.echo), caller, callee, seconds)
    except (TrialError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _passwords(path: Path) -> dict[str, str]:
    """Of a file of lines user,password."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StoreError(f"{path}: not UTF-8 text") from None
    pairs = (line.partition(",") for line in lines if line.strip() and not line.startswith("#"))
    return {user.strip(): password.strip() for user, comma, password in pairs if comma}
