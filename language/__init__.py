"""Text to syntax tree to checked protocol to local machines: no I/O, no asyncio, no clock."""
