"""Programs as roles: held to their machines before a session begins, and at every endpoint."""
