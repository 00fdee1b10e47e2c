-- Who stopped and who resumed what, and why. What stands is told by the last row of a scope and name.
CREATE TABLE halts (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('halt', 'resume')),
    scope  text NOT NULL CHECK (scope IN ('all', 'source', 'queue')),
    name   text NOT NULL DEFAULT '',
    who    text NOT NULL CHECK (who <> ''),
    why    text NOT NULL CHECK (why <> ''),
    run_id text NOT NULL DEFAULT '',
    at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((scope = 'all') = (name = ''))
);
CREATE INDEX halts_latest ON halts (scope, name, id DESC);

-- Every reconciliation, replay, rollback and triage that changed something: who, why, and what came of it.
CREATE TABLE recoveries (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN ('reconcile', 'replay', 'rollback', 'triage')),
    ils       text NOT NULL DEFAULT '',
    source    text NOT NULL DEFAULT '',
    partition text NOT NULL DEFAULT '',
    who       text NOT NULL CHECK (who <> ''),
    why       text NOT NULL CHECK (why <> ''),
    run_id    text NOT NULL DEFAULT '',
    counts    jsonb NOT NULL DEFAULT '{}',
    at        timestamptz NOT NULL DEFAULT now()
);

-- A ledger row as it was before somebody set it back: what was written stays told.
CREATE TABLE ledger_history (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ils             text NOT NULL,
    idempotency_key text NOT NULL,
    what            text NOT NULL CHECK (what IN ('reconciled', 'replayed', 'rolled_back')),
    who             text NOT NULL,
    why             text NOT NULL,
    run_id          text NOT NULL DEFAULT '',
    row_before      json NOT NULL,
    at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_history_key ON ledger_history (ils, idempotency_key);
CREATE INDEX ledger_history_at ON ledger_history (ils, at);

-- Runs that a person asked for; a sensor launches each once.
CREATE TABLE asked_runs (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job       text NOT NULL,
    partition text NOT NULL,
    source    text NOT NULL,
    run_key   text NOT NULL UNIQUE,
    who       text NOT NULL,
    why       text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);

-- What a person decided about what waits in quarantine, an entry a row.
CREATE TABLE triage (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    quarantine_id bigint NOT NULL,
    cluster       text NOT NULL,
    flow          text NOT NULL,
    asset         text NOT NULL,
    partition     text NOT NULL,
    code          text NOT NULL,
    place         text NOT NULL,
    decision      text NOT NULL CHECK (decision IN ('release', 'mend and replay', 'discard')),
    mend          text NOT NULL DEFAULT '',
    who           text NOT NULL CHECK (who <> ''),
    why           text NOT NULL CHECK (why <> ''),
    run_id        text NOT NULL DEFAULT '',
    at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX triage_entry ON triage (quarantine_id);

-- What the next run of a partition takes into account. The last row of a subject counts.
CREATE TABLE mends (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flow      text NOT NULL,
    partition text NOT NULL,
    subject   text NOT NULL, -- correlation id of a record, or the name of what is mended
    mend      text NOT NULL,
    value     text NOT NULL DEFAULT '',
    who       text NOT NULL,
    why       text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mends_partition ON mends (flow, partition);

CREATE OR REPLACE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING HINT = 'add a row that says what holds now';
END $$;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['halts', 'recoveries', 'ledger_history', 'asked_runs', 'triage', 'mends'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()',
            name || '_rows_stay', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()',
            name || '_stay', name);
    END LOOP;
END $$;

-- Entries of the same cause are one cluster: the same in every run and partition.
ALTER TABLE quarantine ADD COLUMN cluster text NOT NULL
    GENERATED ALWAYS AS (left(md5(flow || E'\x1f' || asset || E'\x1f' || code || E'\x1f' || rule), 12)) STORED;
-- A decision that is tried by another run: what is rejected by it again waits again.
ALTER TABLE quarantine ADD COLUMN again boolean NOT NULL DEFAULT false;
CREATE INDEX quarantine_cluster ON quarantine (flow, cluster) WHERE state = 'waiting';

ALTER TABLE ledger
    -- How often the change was set back: each time its MARC gets an id of its own.
    ADD COLUMN round integer NOT NULL DEFAULT 0,
    -- Of an undo: the key of the change that it takes back.
    ADD COLUMN undoes text,
    -- Whether the record was hidden from the public already; null: not looked at.
    ADD COLUMN suppressed_before boolean,
    DROP CONSTRAINT ledger_action_check,
    ADD CONSTRAINT ledger_action_check CHECK (action IN ('create', 'update', 'suppress', 'unsuppress', 'delete'));
CREATE INDEX ledger_undoes ON ledger (ils, undoes) WHERE undoes IS NOT NULL;
CREATE INDEX ledger_rolled_back ON ledger (ils, target) WHERE state = 'rolled_back';
