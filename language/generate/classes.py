"""The text of one role: a class for each state, and the function that makes it playable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..machine import Action
from .actions import Actions, Choosing, Doings, Receiving, Sending, Targets
from .layout import alias, docstring, fits, spread
from .names import Names, camel, snake
from .payloads import Payloads
from .python_types import union
from .words import (
    names_in,
    pattern,
    peer_name,
    received_type,
    state_name,
    summary,
    value_of,
    when,
)

BODY = " " * 4
DEEP = " " * 8
DEEPER = " " * 16

Lines = list[str]


@dataclass(slots=True)
class Written:
    """What the module is put together from: classes, then functions, then aliases."""

    classes: list[Lines] = field(default_factory=list[Lines])
    functions: list[Lines] = field(default_factory=list[Lines])
    aliases: list[Lines] = field(default_factory=list[Lines])


class Variant:
    """One machine of a role as classes; several instances can play it.

    `name` is the class of its first state and the beginning of all its other names, `title`
    what the documentation calls it. `got` gives the class of what `offer` can find, by
    the name that it should have and what it says.
    """

    def __init__(
        self,
        actions: Actions,
        name: str,
        title: str,
        names: Names,
        payloads: Payloads,
        got: Callable[[str, str], str],
    ) -> None:
        self.name = name
        self._title = title
        self._actions = actions
        self._names = names
        self._payloads = payloads
        self._got = got
        self._classes: dict[int, str] = {}
        self._doings: dict[int, Doings] = {}
        self._selectors: dict[Targets, str] = {}
        self._set_of = ""
        self.written = Written()
        self.form = names.new(f"{snake(name).upper()}_FORM")
        self._write()

    # the states -----------------------------------------------------------------------------

    def _write(self) -> None:
        order = self._reachable()
        first = self._standing(self._actions.initial)
        for state in order:
            wanted = state_name(self.name, self._doings[state], state)
            own = self.name if first == (state,) else self._names.new(wanted)
            self._classes[state] = own
        self._guarded(order)
        for state in order:
            self.written.classes.append(self._state(state))
        if len(first) > 1:
            self.written.aliases.append(alias(self.name, self.type_of(self._actions.initial)))

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to do from the beginning."""
        return all(self._actions.is_over(s) for s in self._standing(self._actions.initial))

    def first(self) -> str:
        """An expression for the first state of the endpoint `me`."""
        return self._make(self._actions.initial)

    def form_lines(self) -> Lines:
        """The form that tells the runtime which machines these classes are for."""
        return [f'{self.form} = """\\', *self._actions.form.splitlines(), '"""']

    def _reachable(self) -> list[int]:
        """The states that get a class, in the order in which they are met."""
        found: dict[int, None] = {}
        waiting = list(self._standing(self._actions.initial))
        place = 0
        while place < len(waiting):
            state = waiting[place]
            place += 1
            if state in found or self._actions.is_over(state):
                continue
            found[state] = None
            doings = self._doings[state] = self._actions.doings(state)
            following = [step.targets for step in doings.sends]
            following += [step.targets for step in doings.choices]
            following += [step.targets for step in doings.receives]
            for targets in following:
                waiting += self._standing(targets)
        return list(found)

    def _standing(self, targets: Targets) -> Targets:
        return tuple(dict.fromkeys(self._actions.standing(s) for s in targets))

    def type_of(self, targets: Targets) -> str:
        """The type of what comes next."""
        return union([self._class_of(s) for s in self._standing(targets)])

    def _class_of(self, state: int) -> str:
        return self._classes.get(state, "Done")

    def _make(self, targets: Targets) -> str:
        """An expression for the next state, made of the endpoint `me`."""
        standing = self._standing(targets)
        if len({self._class_of(s) for s in standing}) == 1:
            return f"{self._class_of(standing[0])}(me)"
        if targets not in self._selectors:
            name = self._names.new(f"next_of_{snake(self.name)}")
            self._selectors[targets] = name
            self.written.functions.append(self._selector(name, targets))
        return f"{self._selectors[targets]}(me)"

    def _selector(self, name: str, targets: Targets) -> Lines:
        """The function that finds out whether a loop goes on."""
        by_class: dict[str, list[int]] = {}
        for state in targets:
            by_class.setdefault(self._class_of(self._actions.standing(state)), []).append(state)
        *others, last = by_class
        head = f"def {name}(me: Endpoint) -> "
        lines = [
            *self._signature(head, self.type_of(targets), name),
            *spread(BODY, "match next_state(", ["me", self.form, *map(str, targets)], "):"),
        ]
        for one in others:
            pattern = " | ".join(map(str, by_class[one]))
            lines += [f"{DEEP}case {pattern}:", f"{DEEP}    return {one}(me)"]
        return [*lines, f"{DEEP}case _:", f"{DEEP}    return {last}(me)"]

    def _state(self, state: int) -> Lines:
        doings = self._doings[state]
        lines = [f"class {self._classes[state]}(State):"]
        lines += docstring(BODY, f"{self._title}, state {state}: {summary(doings)}.")
        lines += ["", f"{BODY}__slots__ = ()"]
        methods = Names(frozenset({"offer", "finish", "set"}))
        for send in doings.sends:
            lines += ["", *self._send(state, send, methods)]
        for choice in doings.choices:
            lines += ["", *self._choose(state, choice, methods)]
        for receive in doings.alone:
            lines += ["", *self._receive(state, receive, methods)]
        if len(doings.receives) > len(doings.alone) or len(doings.receives) > 1:
            lines += ["", *self._offer(state, doings.receives)]
        if doings.may_end:
            lines += [
                "",
                f"{BODY}def finish(self) -> Done:",
                f'{DEEP}"""End here, as may be."""',
                f'{DEEP}return Done(self._use("finish"))',
            ]
        if self._set_of and any(s.action.guards for s in doings.sends):
            lines += ["", *self._set()]
        return lines

    # the steps ------------------------------------------------------------------------------

    def _send(self, state: int, send: Sending, methods: Names) -> Lines:
        payload = self._payloads.of(send.action.message)
        name = self._method("send", send.action, send.place, methods)
        given = [f"{n}: {type_}" for n, type_ in payload.parameters]
        lines = self._method_head(state, name, given, self.type_of(send.targets))
        lines.append(f'{DEEP}"""To {send.action.peer}{when(send.action)}."""')
        arguments = [f'"{send.action.label}"', *(n for n, _ in payload.parameters)]
        arguments += _options(send)
        lines += spread(DEEP, "me = await self._send(", arguments, ")")
        return [*lines, f"{DEEP}return {self._make(send.targets)}"]

    def _choose(self, state: int, choice: Choosing, methods: Names) -> Lines:
        name = methods.new(f"choose_{snake(choice.branch)}")
        lines = self._method_head(state, name, [], self.type_of(choice.targets))
        lines.append(f'{DEEP}"""Take the branch {choice.branch}."""')
        lines += spread(DEEP, "me = await self._choose(", [f'"{choice.branch}"'], ")")
        return [*lines, f"{DEEP}return {self._make(choice.targets)}"]

    def _receive(self, state: int, receive: Receiving, methods: Names) -> Lines:
        assert receive.action is not None, "a branch is never waited for alone"
        payload = self._payloads.of(receive.action.message)
        name = self._method("receive", receive.action, receive.place, methods)
        type_ = f"tuple[{received_type(payload, receive.action)}, {self.type_of(receive.targets)}]"
        lines = self._method_head(state, name, [], type_)
        lines.append(f'{DEEP}"""From {receive.action.peer}{when(receive.action)}."""')
        arguments = [f'"{receive.action.label}"']
        arguments += _options(receive)
        lines += spread(DEEP, "payload, me = await self._receive(", arguments, ")")
        value = value_of("payload", payload, receive.action)
        then = self._make(receive.targets)
        if fits(f"{DEEP}return {value}, {then}"):
            return [*lines, f"{DEEP}return {value}, {then}"]
        return [*lines, *spread(DEEP, "return (", [value, then], ")")]

    def _offer(self, state: int, receives: Sequence[Receiving]) -> Lines:
        kinds = [
            f"{self._got_of(r)}[{self._payload_type(r)}, {self.type_of(r.targets)}]"
            for r in receives
        ]
        lines = self._method_head(state, "offer", [], " | ".join(kinds))
        lines += [f'{DEEP}"""Whatever comes first."""', f"{DEEP}got, me = await self._offer()"]
        lines.append(f"{DEEP}match got.label, got.sender, got.index:")
        for receive in receives:
            lines.append(f"{DEEP}    case {pattern(receive)}:")
            value = "None"
            if receive.action is not None:
                value = value_of(
                    "got.payload", self._payloads.of(receive.action.message), receive.action
                )
            made = [value, self._make(receive.targets)]
            lines += spread(DEEPER, f"return {self._got_of(receive)}(", made, ")")
        lines += [f"{DEEP}    case _:", f"{DEEPER}raise AssertionError(got)"]
        return lines

    def _got_of(self, receive: Receiving) -> str:
        label = receive.label
        if receive.action is None:
            return self._got(f"Took{camel(label)}", f"A peer took the branch {label}.")
        if receive.place < 0:
            return self._got(f"Got{camel(label)}", f"{label} has arrived.")
        sender = receive.action.peer
        name = f"Got{camel(label)}From{peer_name(sender)}"
        return self._got(name, f"{label} has arrived from {sender}.")

    def _payload_type(self, receive: Receiving) -> str:
        if receive.action is None:
            return "None"
        return received_type(self._payloads.of(receive.action.message), receive.action)

    def _method(self, verb: str, action: Action, place: int, methods: Names) -> str:
        plain = f"{verb}_{snake(action.label)}"
        word = "to" if action.sends else "from"
        longer = f"{plain}_{word}_{snake(peer_name(action.peer))}"
        return methods.new(longer) if place >= 0 else methods.new(plain, longer)

    # guards ---------------------------------------------------------------------------------

    def _guarded(self, states: Iterable[int]) -> None:
        """The names that the guards of this role use and that no message of it is called."""
        names: dict[str, None] = {}
        labels = {t.action.label for t in self._actions.machine.transitions}
        for state in states:
            for send in self._doings[state].sends:
                names.update(dict.fromkeys(n for g in send.action.guards for n in names_in(g)))
        wanted = sorted(set(names) - labels)
        if wanted:
            self._set_of = self._names.new(f"{self.name}Values")
            lines = [f"class {self._set_of}(TypedDict, total=False):"]
            lines += docstring(BODY, f"The names in the guards of {self._title}.")
            self.written.classes.append([*lines, "", *(f"{BODY}{n}: object" for n in wanted)])

    def _set(self) -> Lines:
        return [
            f"{BODY}def set(self, /, **values: Unpack[{self._set_of}]) -> None:",
            f'{DEEP}"""Give values to the names that guards use; the state stays."""',
            f"{DEEP}self._set(values)",
        ]

    # lines ----------------------------------------------------------------------------------

    def _method_head(self, state: int, name: str, parameters: list[str], type_: str) -> Lines:
        head = f"{BODY}async def {name}("
        whole = f"{head}{', '.join(['self', *parameters])}) -> {type_}:"
        if fits(whole):
            return [whole]
        if not fits(f"{BODY}) -> {type_}:") or not parameters:
            type_ = self._alias(f"{self._classes[state]}_{name}", type_)
        return spread(BODY, f"async def {name}(", ["self", *parameters], f") -> {type_}:")

    def _signature(self, head: str, type_: str, name: str) -> Lines:
        if fits(f"{head}{type_}:"):
            return [f"{head}{type_}:"]
        return [f"{head}{self._alias(f'{self.name}_{name}', type_)}:"]

    def _alias(self, wanted: str, type_: str) -> str:
        name = self._names.new("".join(part[:1].upper() + part[1:] for part in wanted.split("_")))
        self.written.aliases.append(alias(name, type_))
        return name


def _options(step: Sending | Receiving) -> list[str]:
    """What the runtime must know beside the label: which step it is, and whether it can be empty."""
    peer = step.action.peer if step.action is not None else None
    options = [f"place={step.place}"] if step.place >= 0 else []
    return options + ["ranged=True"] * (peer is not None and peer.is_collective and not peer.every)
