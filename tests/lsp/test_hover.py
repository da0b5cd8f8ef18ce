"""What is shown over the label of a branch."""

from __future__ import annotations

from pavane.lsp.analysis import Analysis
from pavane.lsp.hover import hover
from pavane.lsp.text import Text

TEXT = """protocol P { roles: A, B;
  choice A { yes: { A -> B: Yes; } timeout(2d): { A -> B: Late; } }
  choice A { no: { A -> B: No; } timeout: { A -> B: Other; } }
  protocol Q(X, Y) { choice X { x: { X -> Y: M; } timeout(5s): { X -> Y: N; } } } call Q(A, B); }"""


def over(place: int) -> str:
    shown = hover(Analysis(Text(TEXT)), place)
    assert shown is not None
    return str(shown.contents)


def test_a_timeout_branch_says_when_it_is_taken() -> None:
    first = over(TEXT.index("timeout(2d)"))
    assert "`A` takes when it has begun no other within 2d, and not before" in first
    assert "`X` takes when it has begun no other within 5s" in over(TEXT.index("timeout(5s)"))


def test_another_branch_is_the_label_of_a_branch() -> None:
    assert "label of a branch" in over(TEXT.index("yes"))
    assert "label of a branch" in over(TEXT.index("timeout:"))
