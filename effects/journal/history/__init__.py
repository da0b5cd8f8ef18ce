"""Journals read back: selected, followed, verified, reduced, compared, joined and exported."""
