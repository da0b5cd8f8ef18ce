"""The broker in this process: deterministic, without a server, for tests and small programs."""
