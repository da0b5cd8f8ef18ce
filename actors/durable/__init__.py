"""Durable sessions: a log in the namespace's stream, and units of work that play from it."""
