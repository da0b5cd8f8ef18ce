"""The canonical layout of `.choreo` files: `format(text)`.

Nothing but layout is changed: every comment, name, literal, parenthesis and optional word stays
as written. What is normalised are white space and blank lines, `;` behind statements, `,` at
the end of lists and `:` behind branch labels.
"""

from __future__ import annotations

from ..compiler import refusal
from ..errors import Diagnostic, Span
from ..lexing import TEXT_LIMIT
from .comments import attach
from .concrete import read
from .layout import Layout
from .printer import Printer, TooLong

__all__ = ["format"]


def format(text: str, file: str = "<text>") -> str:
    """`text` in canonical layout; formatting that again changes nothing.

    A text that parses is enough, it need not be accepted. Raises `ChoreographyError` with every
    error otherwise. Takes time linear in the length of the text and of the result.
    """
    concrete = read(text, file)
    layout = Layout(attach(text, concrete.tokens))
    instructions = layout.run(concrete.root, concrete.tokens[-1])
    try:
        return Printer(instructions, layout.forced, TEXT_LIMIT).run()
    except TooLong:
        sentence = f"indented, the text would have more than {TEXT_LIMIT} characters"
        wrong = Diagnostic("PV108", "error", sentence, Span(1, 1, 1, 1), "split the file")
        raise refusal(file, [wrong]) from None
