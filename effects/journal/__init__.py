"""What was sent and what holds because of it: chained entries, their heads, their union."""
