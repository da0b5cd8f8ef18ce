"""A session that lives in its processes, and how it hears that one of them has gone."""
