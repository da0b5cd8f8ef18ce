"""Pictures and tables of protocols and machines, all from the tables that run."""

from __future__ import annotations

from .dot import machine_dot
from .mermaid import machine_mermaid, sequence_mermaid
from .svg_machine import machine_svg
from .svg_sequence import sequence_svg
from .table import machine_json, machine_text
from .text import how_many, protocol_text, sequence_text

__all__ = [
    "how_many",
    "machine_dot",
    "machine_json",
    "machine_mermaid",
    "machine_svg",
    "machine_text",
    "protocol_text",
    "sequence_mermaid",
    "sequence_svg",
    "sequence_text",
]
