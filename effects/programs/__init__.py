"""Programs: a role's part as a value, which can be checked, composed and played by any handler."""
