"""One file for each kind of static check; `wellformed.check` runs them all."""
