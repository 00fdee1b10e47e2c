"""The commit ledger: what was, is or will be written to the library system, a row an idempotency key."""
