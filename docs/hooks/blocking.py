"""`countertop.client.sync` makes its methods from those of the asynchronous client: `read = _waiting(IdReader.read)`.
Read as text that is an attribute. This extension of griffe puts the method there that it is when the program runs.
"""

from __future__ import annotations

from typing import Any

from griffe import (
    Attribute,
    Class,
    Docstring,
    Expr,
    ExprCall,
    ExprName,
    ExprSubscript,
    ExprTuple,
    Extension,
    Function,
    Module,
)

MAKERS = {"_waiting", "_starting", "_iterating"}


class BlockingFaces(Extension):
    """Loaded by mkdocstrings and by docs/generate_api.py."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Every module of the package was read."""
        client = pkg.members.get("client")
        if client is None or "sync" not in client.members:
            return
        for owner in client["sync"].members.values():
            if isinstance(owner, Class):
                for member in list(owner.members.values()):
                    if isinstance(member, Attribute) and isinstance(member.value, ExprCall):
                        _replace(owner, member, member.value, pkg)


def _replace(owner: Class, member: Attribute, call: ExprCall, pkg: Module) -> None:
    """Where the attribute is a method made by one of the makers, put that method in its place."""
    if str(call.function) not in MAKERS:
        return
    method = call.arguments[0]
    assert isinstance(method, Expr)
    original = pkg[method.canonical_path.removeprefix(f"{pkg.path}.")]
    made = Function(
        member.name,
        lineno=member.lineno,
        endlineno=member.endlineno,
        parameters=original.parameters,
        returns=_iterator(original.returns) if str(call.function) == "_iterating" else original.returns,
    )
    if original.docstring:
        made.docstring = Docstring(original.docstring.value, parent=made, lineno=original.docstring.lineno)
    owner.set_member(member.name, made)


def _iterator(returns: Expr | str | None) -> Expr | str | None:
    """`AsyncGenerator[Item, None]` as `Iterator[Item]`."""
    assert isinstance(returns, ExprSubscript), f"expected AsyncGenerator[...], got {returns}"
    item = returns.slice.elements[0] if isinstance(returns.slice, ExprTuple) else returns.slice
    return ExprSubscript(ExprName("Iterator", parent=getattr(returns.left, "parent", None)), item)
