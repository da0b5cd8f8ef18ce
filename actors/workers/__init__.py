"""Workers: processes that take instances of durable sessions from a queue and play them."""
