"""What a server must allow, and what has to be on it before anybody plays."""
