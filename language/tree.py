"""The syntax tree of a protocol: what the user wrote, each node with its source span.

Nodes are frozen and compare by content; spans are left out of the comparison, so that
two protocols that differ only in layout and comments have equal trees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .errors import Span

NOWHERE = Span(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Node:
    """What every node has: its place in the source."""

    span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


# --- indices and roles -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`name + offset`: an integer (`name` empty), a name (`i`, `N`), or `i+1`, `N-1`."""

    name: str = ""
    offset: int = 0

    def __str__(self) -> str:
        if not self.name:
            return str(self.offset)
        return f"{self.name}{self.offset:+d}" if self.offset else self.name


@dataclass(frozen=True, slots=True)
class At(Node):
    """`W[2]`, `W[i]`, `W[i+1]`."""

    index: Index


@dataclass(frozen=True, slots=True)
class Range(Node):
    """`W[a..b]`, half open."""

    start: Index
    stop: Index


@dataclass(frozen=True, slots=True)
class All(Node):
    """`W[*]`."""


Selector = At | Range | All


@dataclass(frozen=True, slots=True)
class RoleDecl(Node):
    """`A` (size None), `W[3]` (int), `W[N]` (the name), `W[*]` ("*")."""

    name: str
    size: int | str | None = None

    @property
    def is_family(self) -> bool:
        return self.size is not None


@dataclass(frozen=True, slots=True)
class RoleRef(Node):
    role: str
    selector: Selector | None = None

    def resolved(self, roles: Mapping[str, RoleRef]) -> RoleRef:
        """The same where the parameters of a sub-protocol stand for `roles`."""
        given = roles.get(self.role, self)
        if given.role == self.role and given.selector is None:
            return self
        return RoleRef(given.role, self.selector or given.selector, span=self.span)

    def __str__(self) -> str:
        match self.selector:
            case None:
                return self.role
            case All():
                return f"{self.role}[*]"
            case At(index=index):
                return f"{self.role}[{index}]"
            case Range(start=start, stop=stop):
                return f"{self.role}[{start}..{stop}]"


# --- messages --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeExpr(Node):
    """`i32`, `Vec<String>`, `std::vec::Vec<T>`, `list[T]`, `T | None` (name "|")."""

    name: str
    arguments: tuple[TypeExpr, ...] = ()


@dataclass(frozen=True, slots=True)
class Field(Node):
    """One payload part. `name` is empty for `M<T>` and `M(T)`; `type` None for `M(name)`."""

    name: str
    type: TypeExpr | None


@dataclass(frozen=True, slots=True)
class Message(Node):
    """`M`, `M<T, ...>` (generics), `M(...)` (fields), or both."""

    label: str
    generics: tuple[TypeExpr, ...] = ()
    fields: tuple[Field, ...] = ()


# --- annotations and expressions -------------------------------------------------------

Scalar = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Annotation(Node):
    """`key = value`; a flag has the value True; `journal_facts` a tuple of names."""

    key: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    value: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Literal_(Node):
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Operation(Node):
    """An operator and its operands: `not`, `-` with one; all others with two.

    `operator` is one of: or and not in == != < <= > >= + - * / // %
    """

    operator: str
    operands: tuple[Expr, ...]


Expr = Name | Attribute | Literal_ | Operation


# --- statements ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send(Node):
    """`A -> B: M`. `receiver` None is the broadcast `A ->* : M`, to all other roles.

    `selection` marks a message that the compiler added so that the receiver learns which
    branch was taken; its message label is the branch's label.
    """

    sender: RoleRef
    receiver: RoleRef | None
    message: Message
    sender_annotations: tuple[Annotation, ...] = ()
    receiver_annotations: tuple[Annotation, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    selection: bool = False


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """`5s`: a time, in seconds and as it is written."""

    seconds: float
    written: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """`timeout` is set in `timeout(5s) { }`: the branch that its chooser takes when it has
    begun no other within that time, and may not take before."""

    label: str
    guard: Expr | None
    body: Block
    timeout: Duration | None = None


@dataclass(frozen=True, slots=True)
class Choice(Node):
    chooser: RoleRef
    branches: tuple[Branch, ...]
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """`kind` says which of `count`, `decider` and `condition` is set; "forever" none."""

    kind: Literal["count", "decides", "custom", "forever"]
    body: Block
    count: Index | None = None
    decider: RoleRef | None = None
    condition: Expr | None = None
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Parallel(Node):
    branches: tuple[Block, ...]
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Rec(Node):
    label: str
    body: Block
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Continue(Node):
    label: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`call P` or `call P(A, B)`; P is a sub-protocol or an enclosing protocol."""

    name: str
    arguments: tuple[RoleRef, ...] | None = None
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Foreach(Node):
    """`implicit` marks one that was not written: statements that a free variable pairs."""

    variable: str
    family: RoleRef
    body: Block
    annotations: tuple[Annotation, ...] = ()
    implicit: bool = False


Statement = Send | Choice | Loop | Parallel | Rec | Continue | Call | Foreach


@dataclass(frozen=True, slots=True)
class Block(Node):
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class SubProtocol(Node):
    """`protocol P { }` (parameters None: the enclosing roles) or `protocol P(X, Y) { }`."""

    name: str
    parameters: tuple[str, ...] | None
    body: Block


@dataclass(frozen=True, slots=True)
class Protocol(Node):
    """One global protocol. Its full name is `namespace.name`, or `name` in the default one.

    `partial` says that the text has an error within it, and that this is what could be read.
    """

    name: str
    namespace: str
    roles: tuple[RoleDecl, ...]
    body: Block
    subprotocols: tuple[SubProtocol, ...] = ()
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)
    namespace_span: Span = field(default=NOWHERE, compare=False, repr=False)
    partial: bool = field(default=False, compare=False, repr=False)

    @property
    def full_name(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name

    def role(self, name: str) -> RoleDecl | None:
        return next((r for r in self.roles if r.name == name), None)
