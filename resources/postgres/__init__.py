"""PostgreSQL: quarantine, commit ledger, outcomes, preservation events, museum index."""
