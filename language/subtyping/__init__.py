"""Asynchronous subtyping: whether a hand-written machine can stand in for a projected one."""

from __future__ import annotations

from .answer import Answer, Move, Verdict
from .refines import refines

__all__ = ["Answer", "Move", "Verdict", "refines"]
