"""The simulated broker: the one in memory behind a network that fails as a seed has it."""
