-- Every plan that was made, by its content: what it would do, in numbers. The plan itself is in the lake.
CREATE TABLE plans (
    ils         text NOT NULL,
    source      text NOT NULL,
    partition   text NOT NULL,
    plan_sha256 text NOT NULL CHECK (plan_sha256 ~ '^[0-9a-f]{64}$'),
    signature   text NOT NULL,
    measures    jsonb NOT NULL,
    counts      jsonb NOT NULL, -- [tag, code, kind, subfields] of changes of live records
    waiting_for text NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    run_id      text NOT NULL DEFAULT '',
    PRIMARY KEY (ils, partition, plan_sha256)
);
CREATE INDEX plans_source ON plans (ils, source, made_at);

-- Who let a plan be written or refused it, and why. Append-only: the last word holds, the earlier ones stay.
CREATE TABLE plan_decisions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ils         text NOT NULL,
    source      text NOT NULL,
    partition   text NOT NULL,
    plan_sha256 text NOT NULL CHECK (plan_sha256 ~ '^[0-9a-f]{64}$'),
    decision    text NOT NULL CHECK (decision IN ('approve', 'reject')),
    who         text NOT NULL CHECK (who <> ''),
    why         text NOT NULL CHECK (why <> ''),
    measures    jsonb NOT NULL, -- as the person saw them
    decided_at  timestamptz NOT NULL DEFAULT now(),
    run_id      text NOT NULL DEFAULT ''
);
CREATE INDEX plan_decisions_plan ON plan_decisions (ils, partition, plan_sha256, id);

-- A row each time that a plan was written, wholly or in part.
CREATE TABLE plan_writings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ils         text NOT NULL,
    source      text NOT NULL,
    partition   text NOT NULL,
    plan_sha256 text NOT NULL,
    written     bigint NOT NULL CHECK (written >= 0), -- changes, by this run
    seconds     double precision NOT NULL,
    written_at  timestamptz NOT NULL DEFAULT now(),
    run_id      text NOT NULL DEFAULT ''
);
CREATE INDEX plan_writings_source ON plan_writings (ils, source, written_at);

CREATE OR REPLACE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING HINT = 'decide again: the last decision on a plan holds, and the earlier ones stay';
END $$;

CREATE TRIGGER plan_decisions_rows_stay
    BEFORE UPDATE OR DELETE ON plan_decisions FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER plan_decisions_stay
    BEFORE TRUNCATE ON plan_decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
