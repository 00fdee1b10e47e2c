-- What one library system has taken, another one has not: a trial in a sandbox must not count as done in production.
ALTER TABLE ledger DROP CONSTRAINT ledger_pkey, ADD PRIMARY KEY (ils, idempotency_key);
DROP INDEX ledger_partition, ledger_correlation;
CREATE INDEX ledger_partition ON ledger (ils, source, partition);
CREATE INDEX ledger_correlation ON ledger (ils, correlation_id);
-- A live record may have a NUL in a value; json keeps it, jsonb refuses it.
ALTER TABLE ledger ALTER COLUMN image_before TYPE json;
