"""Write docs/roles.md from the table of built-in roles in daemon/countertop/server/access/builtin.py."""

from __future__ import annotations

from pathlib import Path

from countertop.server.access.builtin import BUILT_IN, METHODS, PURPOSES

HEAD = """# Roles and grants: who may do what

A door proves who calls ([security.md](security.md)). Grants give that caller roles, and roles allow methods. Nothing is allowed that no role
allows; whoever has no role is refused everything. Roles add up: one that allows a call is enough.

A refusal is PERMISSION_DENIED, and its sentence names the method, the device, the roles that the caller has and those that would do. It comes
before anything else is looked at: who may not call learns nothing about the request.

This page is made from the table in `daemon/countertop/server/access/builtin.py` by `python docs/generate_roles.py`.

## The built-in roles
| role | what it is for | customer data |
|---|---|---|
"""

AFTER_ROLES = """
**Customer data** is what the protos mark `debug_redact`: names, numbers, pictures, ink, stripes. A role without it gets the same answers
with these fields empty, and nothing that is packed in an `Any`: of a vendor's command an engineer learns how it ended, not its result. Two
marked things are given to everybody who may ask for them, since they are no customer's: the token of one's own claim, and a recording,
which is masked by its driver or encrypted before it leaves the daemon. What the role `bench` sees is invented by the emulators.

Why an app has no ResetDevice: it ends other apps' operations too, and the daemon brings a device to its safe state by itself when a claim
ends. It has no CheckHealth, which may use up paper, and no vendor commands, which may do anything. Give these by a role of your own.

## Every method
A *claim* in the last column: a role with `claim = "held"` may call it only under a claim on the device.

"""

TAIL = """
## Roles of your own
```toml
[roles.kiosk]                     # beside the built-in roles, or instead of one of the same name
allow = ["DeviceService.ListDevices", "DeviceService.WatchEvents", "IdReaderService.Read", "ReceiptPrinterService.*"]
deny = ["ReceiptPrinterService.OpenDrawer"]
devices = ["left-*"]
kinds = ["ID_READER", "RECEIPT_PRINTER"]
customer_data = true

[roles.careful]
allow = ["CardPrinterService.*", "ClaimService.Claim", "ClaimService.ReleaseClaim", "ClaimService.AnswerHandover"]
claim = "held"
customer_data = true

[roles.acme-service]
allow = ["VendorService.Call"]
devices = ["acme-printer"]
customer_data = true
```

| field | what it says | default |
|---|---|---|
| `allow` | patterns of methods, `Service.Method`; `*` stands for any letters, `?` for one | needed |
| `deny` | patterns of methods that `allow` does not mean; limits this role alone, no other that the caller has | none |
| `devices` | patterns of devices' ids | all |
| `kinds` | ID_READER, RECEIPT_PRINTER, SIGNATURE_PAD, CARD_PRINTER, CAMERA | all |
| `claim` | `"held"`: what takes a claim's token needs that of a claim on the device; claiming itself does not | `"any"` |
| `customer_data` | answers may hold what identifies a person | false |

A pattern that means no method is a mistake in the file, as are an unknown kind and a role that a grant names and nobody defines; all mistakes
are reported at once, when the daemon starts. Think twice about `ClaimService.*`: it holds RevokeClaim.

**A role that is limited to devices** is refused whatever names another device: by its id, by its unit, by an operation on it, or by a claim of
it. Several devices in one request must all be its own. Calls that name none are not limited and not filtered: ListDevices,
WatchEvents, ListOperations and ListClaims tell of the whole terminal, since a client can prove that it missed nothing only when nothing
is left out. There is no customer data in them. Operations are not kept apart by who began them either: who may cancel may cancel any.

**`claim = "held"`** does not concern what a request cannot show a token for: previews, PressButton, SetMaintenance, the exchange of cards.

## Grants
```toml
[access]
owner = "admin"                   # root and the daemon's own user, on a unix socket; "" for none
loopback = ""                     # whoever calls on loopback TCP without a token; "" refuses them

[[grants]]
door = "unix"
user = "kiosk"                    # or uid = 1001
roles = ["app"]

[[grants]]
door = "unix"
group = "tellers"                 # or gid = 2001: as the user's own group, or one that it is a member of
roles = ["teller"]

[[grants]]
door = "tls"
spiffe = "spiffe://bank.example/branch/*/role/supervisor"
roles = ["supervisor", "observer"]

[[grants]]
door = "tls"
subject = "OU=engineers,O=Bank"
roles = ["engineer"]
```

Everything that a grant names must match; several grants may match, and their roles add up. In `spiffe` a `*` stands for one part of the
path and never crosses a slash. `subject` names parts that the certificate's subject must have, in any order, each whole; there a `*` stands for
any letters of the part. Tokens carry their roles themselves and need no grant.

Users' groups are looked up in the system's user database, once a minute for each user: a user who was put into a group or out of it is
noticed within that time. Changes of roles and grants take a restart.
"""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _word(yes: bool, word: str = "yes") -> str:
    return word if yes else ""


def page() -> str:
    """The page."""
    roles = "".join(_row(f"`{name}`", text, _word(BUILT_IN[name].customer_data)) for name, text in PURPOSES.items())
    table = _row("method", *PURPOSES, "") + "|" + "---|" * (len(PURPOSES) + 2) + "\n"
    for method in METHODS.values():
        may = (_word(name in method.roles) for name in PURPOSES)
        table += _row(f"`{method.name}`", *may, _word(method.claim, "claim"))
    return HEAD + roles + AFTER_ROLES + table + TAIL


if __name__ == "__main__":
    Path(__file__).with_name("roles.md").write_text(page(), encoding="utf-8")
