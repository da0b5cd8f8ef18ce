"""Sessions put together: one after the other, at once, inside each other, across generations."""
