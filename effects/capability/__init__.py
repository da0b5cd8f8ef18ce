"""Who may say what: Biscuit tokens issued, attenuated, verified and revoked."""
