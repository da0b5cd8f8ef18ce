"""Typed code: a Python module for a protocol, each state of each role a class of its own."""

from .errors import GenerationError
from .module import Module, generate
from .writing import MARK

__all__ = ["MARK", "GenerationError", "Module", "generate"]
