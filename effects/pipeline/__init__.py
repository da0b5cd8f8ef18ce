"""What happens before a message leaves: effects planned, decided and executed in order."""
