"""The driver over a broker: real tokens, budgets and journals."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...broker.errors import WrongSequence
from ...language.machine import Action
from ..capability.revocation import Revocations
from ..capability.verifier import Verifier
from ..errors import EffectDenied, UnknownBudget, UnknownLeakage
from ..flow.budget import Budgets, Charged, leakage_counter
from ..flow.receipt import Receipt, ReceiptChain
from ..identity import Identity, SendContext, receivers
from ..journal.entry import Draft, Entry
from ..journal.journal import Journal
from ..journal.writer import Writer
from ..keys import Signer
from .accounts import Accounts, leak_key
from .ahead import Settling, paid
from .command import Charge, Command, Deny, Leak, Merge, Record, RequireCapability, Snapshot
from .driver import Still, always
from .effect import Effect
from .plan import Plan, Simple
from .series import Series
from .turns import Turns


class BrokerDriver:
    """Owned by a pipeline. `signer` signs the receipts; the driver closes what it is given."""

    def __init__(
        self,
        verifier: Verifier,
        budgets: Budgets,
        journal: Journal,
        signer: Signer,
        revocations: Revocations | None = None,
    ) -> None:
        self.verifier = verifier
        self.revocations = revocations
        self.budgets = budgets
        self.journal = journal
        self.signer = signer
        self._receipts: dict[Identity, ReceiptChain] = {}
        self.sends: dict[Identity, int] = {}
        """How many messages the journal of an instance has, withdrawn ones too."""
        self._epochs: dict[str, int] = {}
        self._taken: dict[Identity, SendContext] = {}
        self.turns = Turns()
        self.accounts = Accounts(budgets, journal)
        self._settling = Settling(budgets.settle)

    def begin(self, snapshot: Snapshot) -> BrokerTransaction:
        return BrokerTransaction(self, snapshot)

    async def ahead(
        self, snapshot: Snapshot, simple: Simple
    ) -> tuple[BrokerTransaction, asyncio.Future[None]] | None:
        found = self._begun(snapshot.context, simple)
        if found is None:
            return None
        writer, chain = found
        charges = await paid(self, snapshot, simple)
        if charges is None or writer.is_broken or not self.turns.counts(snapshot.context):
            return None
        transaction = BrokerTransaction(self, snapshot)
        stored = transaction.put(charges, simple.facts, writer, chain)
        self._settling.settle(charges, stored)
        return transaction, stored

    def _begun(self, context: SendContext, simple: Simple) -> tuple[Writer, ReceiptChain] | None:
        """The journal and the receipts of an instance, where they have begun, and its account, if it
        needs one."""
        identity = context.identity
        if not self.turns.counts(context):
            return None
        writer, chain = self.journal.opened(identity), self._receipts.get(identity)
        if writer is None or writer.is_broken or chain is None:
            return None
        if simple.cost and self.accounts.opened(identity) is None:
            return None
        return writer, chain

    def series(self, context: SendContext, plan: Plan, simple: Simple) -> Series | None:
        identity = context.identity
        found = self._begun(context, simple)
        if found is None:
            return None
        lease = None
        account = self.accounts.opened(identity) if simple.cost else None
        if account is not None:
            lease = self.budgets.opened(account[0], identity.role, account[1])
        series = Series(context, plan, simple, *found, lease)
        if not series.most:
            return None
        series.closing.append(self._count)
        return series

    def _count(self, series: Series) -> None:
        """A series has ended: its messages are in the journal, and its charge is settled with it."""
        if series.stored is None:
            return
        identity = series.identity
        self.sends[identity] = self.sends.get(identity, 0) + series.sent
        if series.charged is not None:
            self._settling.settle([series.charged], series.stored)

    async def admit(self, context: SendContext, plans: Sequence[Plan]) -> None:
        if self.revocations is not None:
            await self.revocations.watch(self.verifier)
        where, role = context.budget_context, context.identity.role
        if any(plan.charges for plan in plans) and await self.budgets.level(where, role) is None:
            raise UnknownBudget(where, role)
        for observer in sorted({name for plan in plans for name in plan.observers}):
            if await self.budgets.leakage(where, observer) is None:
                raise UnknownLeakage(where, observer)

    def require(self, holder: Identity, token: bytes, capability: str) -> None:
        self.verifier.require(holder, token, capability)

    async def receipts(self, identity: Identity) -> ReceiptChain:
        """The chain of one instance, which goes on after the last receipt in its journal."""
        chain = self._receipts.get(identity)
        if chain is not None:
            return chain
        chain = ReceiptChain(self.signer, ".".join(identity.tokens()))
        if (await self.journal.writer(identity)).count:
            issued, _ = await self.journal.receipts(identity)
            chain.resume(issued)
        # Another send of the instance may have been quicker meanwhile.
        return self._receipts.setdefault(identity, chain)

    def in_epoch(self, charged: Charged) -> None:
        """Have every token verified anew where an epoch has begun."""
        epoch = charged.level.epoch
        if self._epochs.setdefault(charged.counter, epoch) != epoch:
            self._epochs[charged.counter] = epoch
            self.verifier.turn()

    async def take_over(
        self, context: SendContext, worker: str, still: Still = always
    ) -> tuple[Entry, ...]:
        identity = context.identity
        self.turns.begin(context)
        self._receipts.pop(identity, None)
        self.accounts.forget(identity)
        if context.turn == 1 and not (await self.journal.writer(identity)).count:
            # Nobody has written, and if somebody does from now on, this writer is fenced.
            self.sends[identity] = 0
            return ()
        await self.journal.take_over(identity, worker, still)
        role = f"{identity.role}[{identity.index or 0}]"
        namespace, protocol, session, _, _ = identity.tokens()
        found = self.journal.entries(
            namespace=namespace, protocol=protocol, session=session, role=role
        )
        entries = tuple([entry async for entry in found])
        self.turns.check(context)
        self.sends[identity] = sum(entry.kind == "sent" for entry in entries)
        if len(entries) > 1 or context.turn > 1:
            self._taken[identity] = context
        return entries

    async def merge(self, context: SendContext, action: Action, peer: Identity) -> None:
        drafts = [await self.merged(action, peer)]
        writer = await self.writer(context)
        await writer.add([d for d in drafts if d.count])

    async def writer(self, context: SendContext) -> Writer:
        """Of the journal of an instance. Raises `JournalBroken`, for a play that does not count any more
        too: the writer may be that of a later one."""
        self.turns.check(context)
        writer = await self.journal.writer(context.identity)
        self.turns.check(context)
        return writer

    async def merged(self, action: Action, peer: Identity) -> Draft:
        """The entry that joins the journal of `peer` as far as it is stored now."""
        count, last = await self.journal.end_of(peer)
        return Draft("merge", "", action.step, action.label, peer.instance, proof=last, count=count)

    async def leave(self, context: SendContext) -> None:
        identity, counts = context.identity, self.turns.counts(context)
        self.turns.end(context, given_up=True)
        if not counts:
            return
        self._receipts.pop(identity, None)
        self.accounts.forget(identity)
        self._taken.pop(identity, None)
        self.sends.pop(identity, None)
        await self.journal.leave(identity)

    async def finish(self, context: SendContext) -> None:
        identity = context.identity
        if not self.turns.counts(context):
            return
        taken = self._taken.pop(identity, None)
        if taken is not None:
            # Who was killed may have drawn what nobody has asked for since.
            await self.accounts.of(taken)
        writer = self.journal.opened(identity)
        if writer is not None:
            # A charge is open until stored, and keeps what is drawn ahead with it.
            await writer.settled()
        # The next play may have begun meanwhile, also below.
        if self.turns.counts(context):
            self.sends.pop(identity, None)
            self._receipts.pop(identity, None)
            await self.accounts.close(identity)
        if self.turns.counts(context):
            self.turns.end(context, given_up=False)
            await self.journal.finish(identity)

    async def close(self) -> None:
        try:
            if self.revocations is not None:
                await self.revocations.close()
            await self.budgets.close()
        finally:
            await self.journal.close()


class BrokerTransaction:
    """One message. Charges are taken as they are asked for; the journal comes at the end."""

    def __init__(self, driver: BrokerDriver, snapshot: Snapshot) -> None:
        self._driver = driver
        self._snapshot = snapshot
        self._identity = snapshot.context.identity
        self._flow: list[Charged] = []
        self._leaks: list[Charged] = []
        self._facts: list[str] = []
        self._merges: list[Draft] = []
        self._is_left = False
        self._stored: asyncio.Future[None] | None = None
        self.receipt: Receipt | None = None
        self.entries: tuple[Entry, ...] = ()

    @property
    def charged(self) -> int:
        return sum(charged.amount for charged in self._flow)

    @property
    def charges(self) -> tuple[Charged, ...]:
        return (*self._flow, *self._leaks)

    async def execute(self, effect: Effect, command: Command) -> str:
        match command:
            case RequireCapability(capability):
                token = self._snapshot.context.token
                self._driver.require(self._identity, token, capability)
                return capability
            case Charge(amount):
                return await self._charge(amount)
            case Leak(observer, amount):
                return await self._leak(observer, amount)
            case Record(facts):
                self._facts += facts
                return ", ".join(facts)
            case Merge():
                return await self._merge()
            case Deny(reason):
                raise EffectDenied(type(effect).__name__, self._identity.instance, reason)

    async def _charge(self, amount: int) -> str:
        if not amount:
            return "0"
        self._driver.turns.check(self._snapshot.context)
        context, role = self._snapshot.context.budget_context, self._identity.role
        account = ""
        if self._snapshot.context.durable:
            account = await self._driver.accounts.of(self._snapshot.context)
            self._driver.turns.check(self._snapshot.context)
        charged = await self._driver.budgets.charge(context, role, amount, account=account)
        self._flow.append(charged)
        self._driver.in_epoch(charged)
        return f"{amount} ({charged.level.spent} of {charged.level.limit})"

    async def _leak(self, observer: str, amount: int) -> str:
        self._driver.turns.check(self._snapshot.context)
        context = self._snapshot.context.budget_context
        key = ""
        if self._snapshot.context.durable:
            number = self._driver.sends.get(self._identity, 0) + 1
            key = leak_key(self._identity, number, leakage_counter(context, observer), self._leaks)
        turn = self._snapshot.context.turn
        charged = await self._driver.budgets.leak(context, observer, amount, key=key, turn=turn)
        self._leaks.append(charged)
        return f"{observer} {amount} ({charged.level.spent} of {charged.level.limit})"

    async def _merge(self) -> str:
        """Take what the receivers have in their journals; their number is the copies'."""
        peer = self._snapshot.action.peer
        for identity in receivers(self._identity, peer, self._snapshot.copies):
            draft = await self._driver.merged(self._snapshot.action, identity)
            if draft.count:
                self._merges.append(draft)
        return f"merge {peer}"

    async def commit(self) -> None:
        # Receipt and entries take their places in their chains without an await between
        # them, so that a receipt is issued if and only if a `sent` entry carries it.
        chain = await self._driver.receipts(self._identity)
        writer = await self._driver.writer(self._snapshot.context)
        self._issue(chain)
        drafts = [*self._merges, *self._drafts()]
        try:
            self.entries = await writer.add(drafts)
        except BaseException as error:
            # What is not known to be refused may be stored after all.
            self._is_left = not isinstance(error.__cause__, WrongSequence)
            raise
        sends = self._driver.sends
        sends[self._identity] = sends.get(self._identity, 0) + 1
        for charged in self.charges:
            self._driver.budgets.settle(charged)

    def put(
        self, charges: list[Charged], facts: Sequence[str], writer: Writer, chain: ReceiptChain
    ) -> asyncio.Future[None]:
        """As `commit`, at once, of what was charged elsewhere; what is returned is done when the
        journal has it. Who charged settles."""
        self._flow = charges
        self._facts += facts
        self._issue(chain)
        self.entries, self._stored = writer.put(self._drafts())
        sends = self._driver.sends
        sends[self._identity] = sends.get(self._identity, 0) + 1
        return self._stored

    def _issue(self, chain: ReceiptChain) -> None:
        if not self._flow:
            return
        level = self._flow[-1].level
        self.receipt = chain.issue(
            self._snapshot.context.budget_context,
            self._identity.role,
            level.epoch,
            cost=self.charged,
            spent=level.spent,
            step=self._snapshot.action.step,
        )

    def _drafts(self) -> list[Draft]:
        """The message, and its facts."""
        action, receipt = self._snapshot.action, self.receipt
        what = (action.step, action.label, str(action.peer))
        last = receipt.hash if receipt else b""
        proof = receipt.pack() if receipt else b""
        sent = Draft("sent", "", *what, self.charged, last, proof, self._snapshot.copies)
        return [sent, *self._fact_drafts(what, last)]

    def _fact_drafts(self, what: tuple[int, str, str], last: bytes) -> list[Draft]:
        return [Draft("fact", name, *what, 0, last) for name in dict.fromkeys(self._facts)]

    async def withdraw(self, reason: str) -> None:
        """Nothing is given back unless the journal says first that it does not count: a budget may
        say more than its receipts come to, never less. All of it is tried, whatever the rest comes
        to; the first failure is raised."""
        if self._stored is not None:
            await asyncio.shield(self._stored)
        sent = next((entry for entry in self.entries if entry.kind == "sent"), None)
        budgets = self._driver.budgets
        if self._snapshot.context.durable and self._is_left:
            # Open as it is, the charge waits for whoever knows what the journal has.
            return
        if self._snapshot.context.durable and sent is not None:
            await self._take_back(sent, reason)
            return
        if sent is not None:
            writer = await self._driver.writer(self._snapshot.context)
            await writer.retract(sent, reason)
        undoing = [budgets.give_back(charged) for charged in [*self._flow, *self._leaks]]
        flow = () if self.entries else tuple(self._flow)
        self._flow, self._leaks = [], []
        results = await asyncio.gather(*undoing, return_exceptions=True)
        for charged in flow:
            budgets.settle(charged)
        failed = next((r for r in results if isinstance(r, BaseException)), None)
        if failed is not None:
            raise failed

    async def _take_back(self, sent: Entry, reason: str) -> None:
        """Of a durable instance the journal says what was charged, to whichever worker comes next:
        so it is told first, and nothing is given back where it does not take that any more."""
        budgets = self._driver.budgets
        flow, leaks = self._flow, self._leaks
        self._driver.turns.check(self._snapshot.context)
        for charged in flow:
            await budgets.reopen(charged)
        writer = await self._driver.writer(self._snapshot.context)
        await writer.retract(sent, reason)
        self._flow, self._leaks = [], []
        for charged in (*flow, *leaks):
            await budgets.give_back(charged)
        for charged in flow:
            budgets.settle(charged)
