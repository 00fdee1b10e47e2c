-- What was received, a row a file of a window. Records of the window are numbered through, file by file.
CREATE TABLE drops (
    source       text NOT NULL,
    day          date NOT NULL,
    sha256       text NOT NULL,
    name         text NOT NULL,
    bytes        bigint NOT NULL,
    first_record bigint NOT NULL,
    records      bigint,
    arrived_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, day, sha256)
);

-- A row an idempotency key: what was, is or will be written to the ILS, once.
CREATE TABLE ledger (
    idempotency_key text PRIMARY KEY,
    ils             text NOT NULL,
    source          text NOT NULL,
    partition       text NOT NULL,
    record          bigint NOT NULL,
    correlation_id  text NOT NULL,
    content_sha256  text NOT NULL,
    action          text NOT NULL CHECK (action IN ('create', 'update', 'suppress')),
    target          text NOT NULL,
    state           text NOT NULL CHECK (state IN ('prepared', 'sent', 'acknowledged', 'conflicted', 'failed', 'rolled_back')),
    image_before    jsonb,
    version_before  bigint,
    version_after   bigint,
    answer          text NOT NULL DEFAULT '',
    attempts        integer NOT NULL DEFAULT 0,
    run_id          text NOT NULL DEFAULT '',
    prepared_at     timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    settled_at      timestamptz
);
CREATE INDEX ledger_partition ON ledger (source, partition);
CREATE INDEX ledger_correlation ON ledger (correlation_id);
CREATE INDEX ledger_in_doubt ON ledger (ils) WHERE state = 'sent';
