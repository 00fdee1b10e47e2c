-- What an undo needs, and the number of the lock under which a row was written.
ALTER TABLE ledger
    ADD COLUMN kind  text NOT NULL DEFAULT 'bib' CHECK (kind IN ('bib', 'holdings', 'item', 'patron')),
    -- {"deletes": [[tag, text], …], "adds": [[tag, text], …]}; json, as a NUL may be in a value.
    ADD COLUMN patch json,
    ADD COLUMN fence bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT ledger_action_check,
    ADD CONSTRAINT ledger_action_check CHECK (action IN ('create', 'update', 'suppress', 'delete'));
CREATE INDEX ledger_target ON ledger (ils, target);

-- The highest fencing number under which each lock was used: a write under an older one is refused.
CREATE TABLE fences (
    ils    text NOT NULL,
    lock   text NOT NULL, -- 'record:bib:ID', 'identifier:isbn:…', 'branch:…', 'window:…'
    fence  bigint NOT NULL,
    holder text NOT NULL, -- two that got the same number from a Redis that forgot are still told apart
    PRIMARY KEY (ils, lock)
);
CREATE INDEX fences_highest ON fences (ils, fence);

-- Identifiers of new records, from the moment when their creation may have been sent.
CREATE TABLE claims (
    ils             text NOT NULL,
    identifier      text NOT NULL, -- 'isbn:9780140449136'
    idempotency_key text NOT NULL,
    PRIMARY KEY (ils, identifier, idempotency_key),
    FOREIGN KEY (ils, idempotency_key) REFERENCES ledger (ils, idempotency_key) ON DELETE CASCADE
);
CREATE INDEX claims_key ON claims (ils, idempotency_key);

-- Which system a name in the ledger stands for.
CREATE TABLE ils_addresses (
    ils        text PRIMARY KEY,
    address    text NOT NULL,
    first_used timestamptz NOT NULL DEFAULT now(),
    last_used  timestamptz NOT NULL DEFAULT now()
);
