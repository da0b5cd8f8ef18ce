"""What a role has in hand: its seat in a session, what it says and what it hears."""
