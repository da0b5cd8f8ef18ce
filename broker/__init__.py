"""The transport contract and its drivers: memory, NATS, and the embedded nats-server."""
