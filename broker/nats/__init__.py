"""The broker on NATS and JetStream, over nats-py. Its traps are named where they are avoided."""
