"""The command `b2bua`: run the server, keep its users, watch its messages.

What the user can put right (a setting, a file, a port taken) is one line on standard error and exit status 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from b2bua import __version__
from b2bua.commands.access import console_user, token
from b2bua.commands.bans import ban
from b2bua.commands.calls import call
from b2bua.commands.cdr import cdr
from b2bua.commands.challenges import challenges
from b2bua.commands.config import config_commands
from b2bua.commands.control import drain, reload
from b2bua.commands.faults import fault
from b2bua.commands.logs import logs
from b2bua.commands.mailboxes import mwi
from b2bua.commands.opened import CONFIG, DOMAIN, STORE, Opened, settings_of, store_options, typed_password
from b2bua.commands.route import route
from b2bua.commands.store import backup, doctor, restore
from b2bua.commands.token import token_reader
from b2bua.commands.trial import try_call
from b2bua.commands.user_settings import forget_settings, set_setting, show_settings, unset_setting
from b2bua.config.log import split_log_levels
from b2bua.config.settings import ConfigError, Settings
from b2bua.config.sources import load_settings, placed, survey
from b2bua.sip.digest_algorithms import MD5
from b2bua.sip.digest_offer import DigestOffer
from b2bua.store.interface import StoreError
from b2bua.store.private_file import write_private
from b2bua.store.users_file import htdigest_text, make_user, read_users

_Command = TypeVar("_Command", bound=Callable[..., Any])

FEATURE_SERVER_STORE: Final = "sqlite:var/feature-server.db"
FEATURE_SERVER_TRACE: Final = "var/feature-server-trace.db"
"""Not the server's own file: both may run in one directory."""


_LOG = (
    click.option("--log-format", metavar="text|json", help="Lines of the log. [text]"),
    click.option("--log-levels", multiple=True, metavar="[AREA=]LEVEL", help="Least level: debug, info, warning, error. [info]"),
)


def _log_options(command: _Command) -> _Command:
    for option in _LOG:
        command = option(command)
    return command


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script; always ends with SystemExit."""
    sys.exit(_status(arguments))


def _status(arguments: Sequence[str] | None) -> int:
    try:
        result = commands.main(arguments, prog_name="b2bua", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _fail(error.format_message())
    except click.Abort:
        return 130
    except BrokenPipeError:  # `b2bua trace | head`: the reader has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
    except (ConfigError, StoreError) as error:
        return _fail(str(error))
    return result if isinstance(result, int) else 0


def _fail(text: str) -> int:
    click.echo("b2bua: " + " ".join(text.split()), err=True)
    return 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="b2bua", message="%(prog)s %(version)s")
def commands() -> None:
    """A SIP PBX: Session Manager and Communication Manager in one process."""


# The settings' own readers check the values, so that a wrong one reads the same from every source.
@commands.command()
@CONFIG
@DOMAIN
@click.option(
    "--listen", multiple=True, metavar="TRANSPORT:HOST:PORT[/ADVERTISED]",
    help="A listener by udp, tcp, tls, ws or wss; repeatable.",
)  # fmt: skip
@click.option("--tls-cert", metavar="FILE", help="Certificate of tls and wss listeners, PEM; SIGHUP reads it again.")
@click.option("--tls-key", metavar="FILE", help="Its private key, PEM. [in the certificate's file]")
@click.option("--tls-ca", metavar="FILE", help="Trusted authorities, PEM: clients of tls listeners are asked for a certificate.")
@click.option("--http", metavar="HOST:PORT", help="Metrics, health, API. [127.0.0.1:8080]")
@click.option("--users", metavar="FILE", help="Lines user,password, or an htdigest file; only HA1s are kept.")
@STORE
@click.option("--trace", metavar="N", help="Messages that the trace keeps; 0 = off. [10000]")
@click.option("--trace-secrets", is_flag=True, default=None, help="Let loopback see secrets in the trace.")
@click.option(
    "--links", multiple=True, metavar="NAME=TRANSPORT:HOST:PORT=HOST:PORT", help="A feature server elsewhere; repeatable."
)
@click.option("--challenge-reinvite", metavar="always|when-needed|never", help="Whether a re-INVITE gets 407. [always]")
@_log_options
def run(config: str | None, log_levels: tuple[str, ...], **options: object) -> int:
    """Run the server until SIGTERM or SIGINT; SIGHUP reads settings and users again."""
    options["log_levels"] = split_log_levels(log_levels) or None
    path = Path(config) if config else None

    def read() -> Settings:
        found = survey(path, os.environ, options)
        if problems := (*found.problems, *(placed(problem, found.given) for problem in found.settings.conflicts())):
            raise ConfigError(*problems)
        return found.settings

    settings = read()
    from b2bua.service import run as run_service  # Late: `b2bua user` and `--help` need no reactor.

    try:
        return run_service(settings, read)
    except (ConfigError, StoreError) as error:
        raise ConfigError(placed(str(error), survey(path, os.environ, options).given)) from None


@commands.command("feature-server")
@CONFIG
@click.option("--listen", metavar="TRANSPORT:HOST:PORT", help="Our end of the link: where Session Manager's requests come in.")
@click.option("--session-manager", metavar="HOST:PORT", help="Its end of the link.")
@click.option("--name", metavar="NAME", help="The link's name in Session Manager's `links`. [the plugin's]")
@DOMAIN
@click.option("--plugin", "feature_server", metavar="NAME", help="What runs here. [communication_manager]")
@click.option("--feature", "features", multiple=True, metavar="NAME", help="A feature, in order; repeatable. [as `b2bua run`]")
@click.option("--feature-directory", metavar="DIRECTORY", help="Your own features and plugins.")
@click.option("--store", metavar="URL", help=f"memory: or sqlite:PATH, for its calls. [{FEATURE_SERVER_STORE}]")
@click.option("--http", metavar="HOST:PORT", help="Metrics, health, trace of this process; off unless given.")
@click.option("--trace", metavar="N", help="Messages that the trace keeps; 0 = off. [10000]")
@_log_options
def feature_server(config: str | None, listen: str | None, log_levels: tuple[str, ...], **options: object) -> int:
    """Run a feature server in a process of its own, until SIGTERM or SIGINT; SIGHUP reads its features again."""
    options["log_levels"] = split_log_levels(log_levels) or None
    options["listen"] = (listen,) if listen else ()

    def read() -> Settings:
        # Files of its own: a server may run in the same directory.
        usual = {"http": ("", 0), "listen": (), "store": FEATURE_SERVER_STORE, "trace_file": FEATURE_SERVER_TRACE}
        found = load_settings(Path(config) if config else None, os.environ, options, **usual)
        found.check_feature_server()
        return found

    settings = read()
    from b2bua.feature_service import run as run_service  # Late, as above.

    return run_service(settings, read)


@commands.group()
def user() -> None:
    """The users of the domain; a running server sees a change within a second or two."""


@user.command("add")
@click.argument("name")
@store_options
def add_user(name: str, **options: str | None) -> int:
    """Add a user, or change one's password: from a prompt, or else the first line of standard input."""
    settings = settings_of(**options)
    password = typed_password()
    try:
        record = make_user(name, settings.domain, password, _offer(settings).of(name))
    except ValueError as error:
        raise ConfigError(f"user {name}: {error}") from None
    with Opened(settings) as store:
        known = store.user(name) is not None
        store.put_users([record])
    click.echo(f"user {name} {'changed' if known else 'added'}")
    _say_who_counts(settings, name)
    return 0


@user.command("list")
@store_options
def list_users(**options: str | None) -> int:
    """Print the users' names, one a line."""
    with Opened(settings_of(**options), existing=True) as store:
        names = sorted(record.name for record in store.users())
    for name in names:
        click.echo(name)
    return 0


@user.command("remove")
@click.argument("name")
@store_options
def remove_user(name: str, **options: str | None) -> int:
    """Remove a user."""
    settings = settings_of(**options)
    with Opened(settings, existing=True) as store:
        if not store.remove_user(name):
            raise ConfigError(f"user {name}: there is no such user")
        forget_settings(store, name)
    click.echo(f"user {name} removed")
    _say_who_counts(settings, name)
    return 0


@user.command("import")
@click.argument("file")
@store_options
def import_users(file: str, **options: str | None) -> int:
    """Add or change the users of FILE: user,password in CSV, with or without a header, or an htdigest file."""
    settings = settings_of(**options)
    records = read_users(Path(file), settings.domain, _offer(settings).of, spreadsheet=True)
    with Opened(settings) as store:
        store.put_users(records)
    click.echo(f"{len(records)} users imported")
    return 0


@user.command("export")
@click.argument("file")
@store_options
def export_users(file: str, **options: str | None) -> int:
    """Write all users to FILE, which must not exist, as an htdigest file: with their MD5 HA1s."""
    path = Path(file)
    if path.exists():
        raise ConfigError(f"{path}: File exists")
    with Opened(settings_of(**options), existing=True) as store:
        records = sorted(store.users(), key=lambda record: record.name)
    left_out = [record.name for record in records if MD5 not in record.ha1s]
    write_private(path, htdigest_text(records))
    if left_out:
        click.echo(f"b2bua: left out, without an MD5 HA1: {' '.join(left_out)}", err=True)
    click.echo(f"{len(records) - len(left_out)} users exported")
    return 0


commands.add_command(challenges)
user.add_command(set_setting)
user.add_command(unset_setting)
user.add_command(show_settings)
commands.add_command(config_commands)
commands.add_command(console_user)
commands.add_command(token)
commands.add_command(backup)
commands.add_command(restore)
commands.add_command(doctor)
commands.add_command(drain)
commands.add_command(ban)
commands.add_command(mwi)
commands.add_command(fault)
commands.add_command(call)
commands.add_command(try_call)
commands.add_command(reload)
commands.add_command(logs)
commands.add_command(cdr)
commands.add_command(route)


@commands.command()
@click.argument("file")
def explain(file: str) -> int:
    """Say what happens in a capture (pcap, pcapng) or a saved trace: the flow of each call, its ladder, and what is wrong in it.

    Exit status 1 when something is wrong, 2 when the file cannot be read.
    """
    from b2bua.trace import explained  # Late: no other command needs it.

    return explained.main(file)


_EXPORT_FORMS = click.Choice(("html", "json", "mermaid", "pcap", "svg", "text", "tracesm"))
"""The keys of `b2bua.trace.exports.EXPORTS`, which no other command needs to load."""


@commands.command(context_settings={"max_content_width": 110})
@click.argument("file", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON record a line instead of the ladder.")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The server's HTTP address.")
@click.option("-c", "--call-id", "call_ids", multiple=True, metavar="ID",
              help="Only the call with a leg of this Call-ID, all its legs. This and each of the next may stand there again.")
@click.option("-u", "--user", "users", multiple=True, metavar="USER|URI",
              help="Only this user's calls and messages; of several users those that all take part in, with -or any of them.")
@click.option("-i", "hosts", multiple=True, metavar="REGEX", help="Only calls with a message from or to such an address.")
@click.option("-s", "sessions", multiple=True, metavar="GSID", help="Only calls of this global session id.")
@click.option("-g", "headers", multiple=True, metavar="HEADER=VALUE", help="Only calls with a header that has this in it.")
@click.option("-o", "patterns", multiple=True, metavar="REGEX", help="Only calls with a message that this is found in.")
@click.option("-or", "any_of", is_flag=True, help="Any of these is enough; else all have to be met.")
@click.option("-nr", "no_register", is_flag=True, help="Hide REGISTER.")
@click.option("-ns", "no_subscribe", is_flag=True, help="Hide SUBSCRIBE and NOTIFY.")
@click.option("-no", "no_options", is_flag=True, help="Hide OPTIONS.")
@click.option("--follow", is_flag=True, help="With --json: go on with new messages until interrupted.")
@click.option("--plain", is_flag=True,
              help="The ladder as plain text in a terminal, too. Live each copy of a message is a line, of FILE they count.")
@click.option("--addresses", is_flag=True, help="Addresses above the ladder's lines in place of names, as with the key i.")
@click.option("--server", "servers", multiple=True, metavar="[NAME=]URL", help="Follow this server; several as one trace.")
@click.option("--token-file", "token_files", multiple=True, metavar="FILE",
              help="A token of the server, where it has a log-in (or B2BUA_TOKEN_FILE); one for all servers, or one for each.")
@click.option("--since", metavar="WHEN", default="", help="What trace_keep has on disk, too: 24h, 16:20, 2026-01-31 16:20.")
@click.option("--export", type=(_EXPORT_FORMS, str), help="Write html, json, mermaid, pcap, svg, text or tracesm to a new file.")
@click.option("--secrets", is_flag=True, help="Unredacted, if the server runs with --trace-secrets.")
def trace(
    file: str, url: str, as_json: bool, follow: bool, plain: bool, addresses: bool, secrets: bool,
    export: tuple[str, str] | None, servers: tuple[str, ...], token_files: tuple[str, ...], since: str, **wanted: Any,
) -> int:  # fmt: skip
    """Show the messages of a running server as a ladder, or those of FILE, written by --json or by traceSM."""
    from b2bua.trace import client  # Late: no other command needs it.
    from b2bua.trace.http_client import no_token

    words = _filter_words(**wanted)
    return client.main(
        url=url, as_json=as_json, follow=follow, secrets=secrets, filter_words=words, plain=plain, addresses=addresses,
        file=file, export=export, servers=servers, token_files=token_files, since=since,
        token_for=no_token if file or token_files else token_reader(),
    )  # fmt: skip


def _filter_words(
    call_ids: Sequence[str], users: Sequence[str], hosts: Sequence[str], sessions: Sequence[str], headers: Sequence[str],
    patterns: Sequence[str], any_of: bool, no_register: bool, no_subscribe: bool, no_options: bool,
) -> list[str]:  # fmt: skip
    """The filter as the ladder's key `f` takes it."""
    valued = {"-c": call_ids, "-u": users, "-i": hosts, "-s": sessions, "-g": headers, "-o": patterns}
    words = [word for switch, values in valued.items() for value in values if value for word in (switch, value)]
    switches = {"-or": any_of, "-nr": no_register, "-ns": no_subscribe, "-no": no_options}
    return words + [switch for switch, is_set in switches.items() if is_set]


def _say_who_counts(settings: Settings, name: str) -> None:
    """The file of `users` undoes it; where that cannot be read the server will say so."""
    with suppress(StoreError):
        if settings.users and name in {found.name for found in read_users(settings.users, settings.domain, _offer(settings).of)}:
            click.echo(f"user {name} stands in {settings.users}, which counts with each reload: change it there, too", err=True)


def _offer(settings: Settings) -> DigestOffer:
    return DigestOffer(settings.digest_algorithms, settings.user_digest_algorithms)


