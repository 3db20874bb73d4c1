"""`countertop pair`."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.cli.arguments import count
from countertop.cli.output import Refused, say, table

if TYPE_CHECKING:
    from countertop.server.access.authority import Made
    from countertop.server.config import Config

__all__ = ["configure", "run"]

_CLIENT_DAYS, _SERVER_DAYS = 365, 825


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `pair`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--token", metavar="NAME", help="issue a token for a program, or for web pages with --origin")
    what.add_argument("--certificate", metavar="NAME", help="issue a client certificate, with its key")
    what.add_argument("--server", nargs="+", metavar="HOST", help="issue a certificate for this terminal's own names")
    what.add_argument("--list", action="store_true", help="what was issued")
    what.add_argument("--revoke", metavar="NAME", help="end a token, or a client certificate")
    parser.add_argument("--role", action="append", default=[], metavar="ROLE", help="may be given again")
    parser.add_argument("--origin", metavar="URL", help="of a token: the web pages that may use it, and nobody else")
    parser.add_argument("--spiffe", metavar="URI", help="of a certificate: who it says that calls, instead of --role")
    parser.add_argument("--days", type=count(1, 3650), metavar="N", help="how long it lasts (token: for ever)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="for certificates and keys")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the daemon's: its state directory and roles")
    parser.add_argument("--state", type=Path, metavar="DIR", help="the daemon's state directory, instead")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object a line")
    parser.epilog = (
        "Run it as the daemon's user, on the terminal. Secrets are shown or written once and kept nowhere; the daemon "
        "sees at once what was issued or revoked."
    )


def run(args: argparse.Namespace) -> int:
    """Issue, list or revoke."""
    from countertop.server.access.tokens import TokensUnusable

    _check(args)
    config = _configuration(args)
    try:
        if args.token:
            _token(args, config)
        elif args.revoke:
            _revoke(args, config)
        elif args.list:
            _list(args, config)
        else:
            _certificate(args, config)
    except (ValueError, TokensUnusable) as error:
        raise Refused(str(error)) from None
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raises Refused for options that say nothing together, or too little."""
    if args.token and not args.role:
        raise Refused("A token needs a role.", "For instance: countertop pair --token till-3 --role app")
    if args.certificate and bool(args.spiffe) == (len(args.role) == 1):
        raise Refused("A certificate needs one --role, or a --spiffe URI.")
    for option, owner in (("origin", args.token), ("spiffe", args.certificate)):
        if getattr(args, option) and not owner:
            raise Refused(f"--{option} belongs to {'--token' if option == 'origin' else '--certificate'}.")
    if args.role and not (args.token or args.certificate):
        raise Refused("--role belongs to --token or --certificate.")


def _configuration(args: argparse.Namespace) -> Config:
    from countertop.server.access.builtin import roles_of
    from countertop.server.config import Config, ConfigError

    config = Config()
    if args.config is not None:
        from countertop.server.config_file import load_config
        from countertop.server.plugins import Plugins

        try:
            config = load_config(args.config, Plugins())
        except ConfigError as error:
            raise Refused(str(error)) from None
    if args.state is not None:
        config.terminal.state_dir = str(args.state.absolute())
    known = roles_of(config.roles)
    for role in args.role:
        if role not in known:
            more = "" if args.config else " Roles of a configuration are known with --config FILE."
            raise Refused(f"There is no role {role!r}; there are {', '.join(sorted(known))}.{more}")
    return config


def _state(config: Config) -> Path:
    return Path(config.terminal.state_dir)


def _token(args: argparse.Namespace, config: Config) -> None:
    import re
    import time

    from countertop.server.access.tokens import Token, TokenStore

    if args.origin and not re.fullmatch(r"https?://[a-z0-9.\-]+(:\d{1,5})?", args.origin):
        raise Refused(f"Expected an origin such as https://teller.bank.example, got {args.origin!r}.")
    expires = time.time() + args.days * 86400 if args.days else 0.0
    secret = TokenStore(_state(config)).issue(Token(args.token, tuple(args.role), args.origin or "", expires=expires))
    if args.json:
        _json(name=args.token, roles=args.role, origin=args.origin or "", expires=expires, token=secret)
        return
    say(secret)
    use = f"pages of {args.origin}" if args.origin else "authorization: Bearer TOKEN, or COUNTERTOP_TOKEN"
    _note(f"The token {args.token!r} ({', '.join(args.role)}) is shown this once. It goes into: {use}")


def _certificate(args: argparse.Namespace, config: Config) -> None:
    try:
        from countertop.server.access.authority import MAX_DAYS, Authority
    except ImportError as error:
        raise Refused(f"The package {error.name!r} is missing.", "pip install 'countertop[web]'") from None

    authority = Authority(_state(config), config.terminal.id)
    days = min(args.days or (_SERVER_DAYS if args.server else _CLIENT_DAYS), MAX_DAYS)
    stem = "server" if args.server else args.certificate
    if Path(stem).name != stem or stem.startswith("."):
        raise Refused(f"The name {stem!r} makes no file name.")
    files = [args.out / f"{stem}.pem", args.out / f"{stem}-key.pem", args.out / "ca.pem"]
    for file in files[:2]:
        if file.exists():
            raise Refused(f"{file} is there already, and is left as it is.", "Choose another --out, or move it away.")
    if args.server:
        made = authority.server(args.server, days)
    else:
        made = authority.client(args.certificate, args.spiffe or authority.spiffe(args.role[0]), days)
    _save(made, files, authority.certificate_file.read_bytes())
    _tell(args, made, files)


def _save(made: Made, files: list[Path], ca: bytes) -> None:
    from countertop.server.access.files import write_private

    files[0].parent.mkdir(parents=True, exist_ok=True)
    write_private(files[1], made.key, replace=False)
    files[0].write_bytes(made.certificate)
    files[2].write_bytes(ca)


def _tell(args: argparse.Namespace, made: Made, files: list[Path]) -> None:
    certificate, key, ca = map(str, files)
    if args.json:
        _json(
            name=made.issued.name,
            kind=made.issued.kind,
            says=made.issued.says,
            expires=made.issued.expires,
            certificate=certificate,
            key=key,
            ca=ca,
        )
        return
    say(f"{certificate}\n{key}\n{ca}")
    if args.server:
        _note("In the daemon's configuration:")
        _note(f'  [listen.tls]\n  certificate = "{files[0].absolute()}"\n  key = "{files[1].absolute()}"')
        _note(f'  client_ca = "{files[2].absolute()}"')
        return
    _note(f"It says that {made.issued.says} calls. In the daemon's configuration, what that may do:")
    role = args.role[0] if args.role else "ROLE"
    _note(f'  [[grants]]\n  door = "tls"\n  spiffe = "{made.issued.says}"\n  roles = ["{role}"]')


def _list(args: argparse.Namespace, config: Config) -> None:
    from countertop.server.access.tokens import TokenStore

    rows: list[dict[str, Any]] = [
        {"kind": "token", "name": token.name, "says": ", ".join(token.roles), "origin": token.origin}
        | {"created": token.created, "expires": token.expires}
        for token in TokenStore(_state(config)).tokens()
    ]
    if (_state(config) / "authority").is_dir():
        from countertop.server.access.authority import Authority
        from countertop.server.access.revoked import RevokedCertificates

        revoked = RevokedCertificates(_state(config)).fingerprints()
        rows += [
            {"kind": issued.kind, "name": issued.name, "says": issued.says, "expires": issued.expires}
            | {"revoked": issued.sha256 in revoked}
            for issued in Authority(_state(config), config.terminal.id).issued()
        ]
    if args.json:
        for row in rows:
            _json(**row)
        return
    from countertop.cli.output import console

    shown = table("kind", "name", "what it is good for", "expires")
    for row in rows:
        origin = f" (pages of {row['origin']})" if row.get("origin") else ""
        shown.add_row(
            row["kind"], row["name"], row["says"] + origin, "revoked" if row.get("revoked") else _day(row["expires"])
        )
    console().print(shown)


def _revoke(args: argparse.Namespace, config: Config) -> None:
    from countertop.server.access.tokens import TokenStore

    if not TokenStore(_state(config)).revoke(args.revoke) and not _revoke_certificate(args.revoke, config):
        raise Refused(f"Nothing was issued to {args.revoke!r}.", "See: countertop pair --list")
    if args.json:
        _json(name=args.revoke, revoked=True)
    else:
        say(f"What {args.revoke!r} had is worth nothing any more.")


def _revoke_certificate(name: str, config: Config) -> bool:
    if not (_state(config) / "authority").is_dir():
        return False
    from countertop.server.access.authority import Authority
    from countertop.server.access.revoked import RevokedCertificates

    revoked = RevokedCertificates(_state(config))
    issued = Authority(_state(config), config.terminal.id).issued()
    digests = [item.sha256 for item in issued if item.name == name and item.kind == "client"]
    for digest in digests:
        revoked.add(digest, name)
    return bool(digests)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).astimezone().strftime("%Y-%m-%d") if moment else "never"


def _json(**fields: Any) -> None:
    say(json.dumps(fields, ensure_ascii=False))


def _note(text: str) -> None:
    """For the person: standard output has what a program wants."""
    import sys

    print(text, file=sys.stderr)
