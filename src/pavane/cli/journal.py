"""`pavane journal`: read back who sent what when, and prove that nobody has changed it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from .exits import verb
from .options import AllowRemote, Json, JsonLines, Store, Url

Session = Annotated[
    str, typer.Option("--session", metavar="ID", help="Only this session, as `run` names it.")
]
Namespace = Annotated[str, typer.Option("--namespace", help="Only this namespace.")]
ProtocolName = Annotated[str, typer.Option("--protocol", help="Only this protocol.")]
Role = Annotated[
    str, typer.Option("--role", help="Only what this role wrote, or one instance: `Worker[2]`.")
]
Fact = Annotated[str, typer.Argument(help="Only facts of this name.")]
Since = Annotated[
    str,
    typer.Option("--since", metavar="WHEN", help="Only from then on: `10m` ago, or a date."),
]
Until = Annotated[
    str, typer.Option("--until", metavar="WHEN", help="Only until then: `2h` ago, or a date.")
]
Export = Annotated[
    Path | None,
    typer.Option(
        "--file", metavar="FILE", help="Read an exported file instead of a store or a server."
    ),
]
TrustKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust",
        metavar="KEYFILE",
        help="Take signatures of the public keys in this file only; repeat for more.",
    ),
]
Source = Annotated[
    str,
    typer.Argument(help="Another journal: the folder of a store, an exported file, or an address."),
]
Reducer = Annotated[
    str,
    typer.Argument(metavar="MODULE:FUNCTION", help="A function with @pavane.reducer before it."),
]

app = typer.Typer(
    help="Read the journal back: follow, query and replay it, verify that it is whole, join two.",
    no_args_is_help=True,
)


def install(main: typer.Typer) -> None:
    main.add_typer(app, name="journal")


@app.command()
@verb
def tail(
    fact: Fact = "",
    last: Annotated[
        int, typer.Option("--last", "-n", min=0, max=100_000, help="Begin with the last so many.")
    ] = 10,
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    since: Since = "",
    url: Url = None,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Follow the journal of a server as it is written, until Ctrl-C.

    [dim]Examples:[/dim]
      pavane journal tail --url nats://127.0.0.1:4222
      pavane journal tail work_completed --since 10m --json
    """
    from .brokers import EMBEDDED
    from .chronicle import tail
    from .errors import UsageError
    from .journals import Place, Query, with_book
    from .signals import Terminated

    if url in (None, EMBEDDED):
        raise UsageError(
            "which server? nobody else writes to an embedded one",
            hint="run `pavane server --store DIR`, and give its address with --url",
        )
    query = Query(namespace, protocol, session, role, fact, since)
    query.filter()
    try:
        with_book(Place(url, allow_remote=allow_remote), lambda b: tail(b, query, last, json))
    except Terminated as ended:
        if ended.number != signal.SIGINT:
            raise


@app.command()
@verb
def query(
    fact: Fact = "",
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    since: Since = "",
    until: Until = "",
    url: Url = None,
    store: Store = None,
    file: Export = None,
    trust: TrustKeys = None,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Print the facts that hold, one a line, as they were recorded.

    Each entry is checked against the one before, and who signed against whom you
    trust; it ends with 3 where the journal is broken.

    [dim]Examples:[/dim]
      pavane journal query work_completed --store .store --role Worker1
      pavane journal query --url nats://127.0.0.1:4222 --since 2h --json
    """
    from .chronicle import query
    from .journals import Place, Query, with_book

    chosen = Query(namespace, protocol, session, role, fact, since, until)
    chosen.filter()
    with_book(Place(url, store, file, allow_remote), lambda book: query(book, chosen, json), trust)


@app.command()
@verb
def replay(
    reduce: Annotated[
        str,
        typer.Option(
            "--reduce",
            metavar="MODULE:FUNCTION",
            help="Print the state that this reducer comes to, as JSON, in place of the story.",
        ),
    ] = "",
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    file: Export = None,
    trust: TrustKeys = None,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Print who sent what when, with charges, receipts and facts, and what each role came to.

    The journal is verified first; a broken one is not replayed (exit code 3).

    [dim]Examples:[/dim]
      pavane journal replay --store .store
      pavane journal replay --url nats://127.0.0.1:4222 --session 1f2e3d
      pavane journal replay --store .store --reduce reports:balances
    """
    from .chronicle import replay
    from .journals import Place, Query, with_book
    from .reductions import named
    from .reductions import reduce as rebuild

    chosen = Query(namespace, protocol, session, role)
    place = Place(url, store, file, allow_remote)
    if reduce:
        reducer = named(reduce)
        with_book(place, lambda book: rebuild(book, chosen, reducer), trust)
    else:
        with_book(place, lambda book: replay(book, chosen, json), trust)


@app.command()
@verb
def verify(
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    file: Export = None,
    trust: TrustKeys = None,
    trust_new: Annotated[
        bool,
        typer.Option("--trust-new", help="Trust whoever signs now, from now on."),
    ] = False,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Find and locate every altered, missing or cut off entry; exits with 3 if there is one.

    Who signed is remembered at the first verification; another key later is a fault.

    [dim]Examples:[/dim]
      pavane journal verify --store .store
      pavane journal verify --file audit.jsonl --trust auditors.keys
    """
    from .attest import verify
    from .errors import UsageError
    from .journals import Place, Query, with_book

    if trust and trust_new:
        raise UsageError("--trust and --trust-new exclude each other", hint="leave one of them out")
    chosen = Query(namespace, protocol, session, role)
    with_book(
        Place(url, store, file, allow_remote),
        lambda book: verify(book, chosen, json, trust_new=trust_new),
        trust,
    )


@app.command()
@verb
def compare(
    source: Source,
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    file: Export = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Say how a journal stands to another: equal, behind, ahead, or diverged, and where.

    Exits with 3 if some writer's journals have diverged.

    [dim]Example:[/dim]
      pavane journal compare backup.jsonl --store .store
    """
    from .journals import Place, Query, place_of
    from .unions import compare

    other = place_of(source, allow_remote=allow_remote)
    chosen = Query(namespace, protocol, session, role)
    compare(Place(url, store, file, allow_remote), other, chosen, json=json)


@app.command()
@verb
def merge(
    source: Source,
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    trust: TrustKeys = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Add to a journal what it lacks of another; once more adds nothing.

    What is added must be signed by whom this journal trusts, or by the keys of --trust.
    A journal that was cut at its end is made whole again. What has diverged is left as it
    is, on both sides, and told: exit code 3.

    [dim]Examples:[/dim]
      pavane journal merge backup.jsonl --store .restored
      pavane journal merge theirs.jsonl --store .store --trust theirs.keys
    """
    from .brokers import EMBEDDED
    from .errors import UsageError
    from .journals import Place, Query, place_of
    from .unions import merge

    if store is None and url in (None, EMBEDDED):
        raise UsageError(
            "merge into which journal?", hint="give --store DIR, or --url nats://host:port"
        )
    other = place_of(source, allow_remote=allow_remote)
    chosen = Query(namespace, protocol, session, role)
    merge(Place(url, store, None, allow_remote), other, chosen, trust, json=json)


@app.command()
@verb
def export(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to. Default: standard output."),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="jsonl, csv or parquet (with pyarrow). Default: what the file's name says.",
        ),
    ] = "",
    fact: Annotated[str, typer.Option("--fact", help="Only facts of this name.")] = "",
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    since: Since = "",
    until: Until = "",
    url: Url = None,
    store: Store = None,
    file: Export = None,
    trust: TrustKeys = None,
    allow_remote: AllowRemote = False,
) -> None:
    """Write the journal to a file: as JSON lines, or as a table.

    JSON lines can be verified, replayed and merged like a store.

    [dim]Examples:[/dim]
      pavane journal export --store .store -o audit.jsonl
      pavane journal export --store .store --since 7d -o week.parquet
    """
    from .journals import Place, Query, with_book
    from .unions import chosen_format, export

    chosen = Query(namespace, protocol, session, role, fact, since, until)
    chosen.filter()
    asked = chosen_format(form, out, chosen)
    place = Place(url, store, file, allow_remote)
    with_book(place, lambda book: export(book, chosen, out, asked), trust)


@app.command()
@verb
def snapshot(
    reducer: Reducer,
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    trust: TrustKeys = None,
    allow_remote: AllowRemote = False,
) -> None:
    """Keep the state that a reducer has come to: the next rebuild begins here.

    [dim]Example:[/dim]
      pavane journal snapshot reports:balances --store .store
    """
    from .journals import Place, Query, with_book
    from .reductions import named, snapshot

    chosen, found = Query(namespace, protocol, session, role), named(reducer)
    with_book(
        Place(url, store, None, allow_remote), lambda book: snapshot(book, chosen, found), trust
    )


@app.command()
@verb
def key() -> None:
    """Print the public key that signs what you run, for a file to --trust.

    It is your own, or that of the file which PAVANE_KEY names.

    [dim]Example:[/dim]
      pavane journal key >> auditors.keys
    """
    from ..effects.journal.history.keyfile import own_signer
    from .screen import say

    say(own_signer().public.hex())
