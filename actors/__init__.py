"""Endpoints, mailboxes, sessions and the runtime that plays the roles."""
