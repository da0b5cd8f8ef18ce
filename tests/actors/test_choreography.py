"""Loading protocols, and binding what is open in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

import pavane
from pavane import Endpoint

TWO = """
protocol First { roles: A, B; A -> B: M; }
#[namespace = "n"] protocol Second { roles: A, B; B -> A: M; }
"""


def test_one_of_several_is_loaded_by_name() -> None:
    assert pavane.load(TWO, name="First").full_name == "First"
    assert pavane.load(TWO, name="n.Second").roles == ("A", "B")
    assert [c.full_name for c in pavane.load_all(TWO)] == ["First", "n.Second"]


@pytest.mark.parametrize("name", [None, "Third"])
def test_which_one_has_to_be_clear(name: str | None) -> None:
    with pytest.raises(pavane.ChoreographyError, match=r"First, n\.Second"):
        pavane.load(TWO, name=name)


def test_a_file_is_loaded_and_named_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "wrong.choreo"
    path.write_text("protocol P { roles: A, B;\n  A -> B: N; A -> C: M; }")
    with pytest.raises(pavane.ChoreographyError) as caught:
        pavane.load(path)
    assert caught.value.file == str(path)
    assert caught.value.diagnostics[0].span.line == 2


def test_a_file_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(pavane.ChoreographyError, match="cannot read"):
        pavane.load(tmp_path / "none.choreo")
    binary = tmp_path / "binary.choreo"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(pavane.ChoreographyError, match="UTF-8"):
        pavane.load(str(binary))


def test_a12_bind_gives_another_choreography_and_leaves_the_first() -> None:
    text = "protocol P { roles: A, W[N]; A -> W[*]: M; }"
    open_ = pavane.load(text)
    bound = open_.bind(N=3)
    assert dict(open_.bindings) == {}
    assert bound.bind(N=4).bindings["N"] == 4
    assert len(bound.project().machines["W"]) == 1
    with pytest.raises(pavane.BindingError, match="W"):
        open_.project()
    for wrong in (0, 10_001):
        with pytest.raises(pavane.BindingError):
            open_.bind(N=wrong)
    with pytest.raises(pavane.BindingError, match="Z"):
        open_.bind(N=1, Z=1)


def test_a12_counts_are_bound_one_after_the_other() -> None:
    text = "protocol P { roles: A, V[N], W[*]; A -> V[*]: M; A -> W[0..few]: M; }"
    open_ = pavane.load(text)
    bound = open_.bind(N=3).bind(few=2).identify(W=["kay", "lou"])
    assert dict(bound.bindings) == {"N": 3, "few": 2, "W": 2}
    assert bound.project().sizes == {"A": None, "V": 3, "W": 2}
    with pytest.raises(pavane.BindingError, match="V cannot have 0 instances"):
        open_.bind(N=0)
    with pytest.raises(pavane.BindingError, match="W has 2 instances, and few asks for 3"):
        open_.bind(W=2).bind(few=3)


@dataclass(frozen=True)
class Order:
    item: str
    pieces: int


async def test_payload_types_of_the_users_own(runtime: pavane.Runtime) -> None:
    text = "protocol Shop { roles: A, B; A -> B: Buy(Order); B -> A: Bought(list[Order]); }"
    shop = pavane.load(text, types={"Order": Order})

    async def a(me: Endpoint) -> list[Order]:
        with pytest.raises(pavane.PayloadError):
            await me.send("Buy", {"item": 3})
        await me.send("Buy", Order("lamp", 2))
        bought: list[Order] = await me.receive("Bought")
        return bought

    async def b(me: Endpoint) -> None:
        order = await me.receive("Buy")
        assert isinstance(order, Order)
        await me.send("Bought", [order, Order("bulb", order.pieces)])

    outcome = await runtime.run(shop, A=a, B=b)
    assert outcome["A"] == [Order("lamp", 2), Order("bulb", 2)]
