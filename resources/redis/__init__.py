"""Redis: the idempotency filter, locks, quota, circuit state, HTTP validators. Nothing in it is the only copy."""
