-- Writes of a plan that a halt stopped, and which of them came to another end since. The last row of a window counts.
CREATE TABLE stopped_writes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action      text NOT NULL CHECK (action IN ('stopped', 'ended')),
    job         text NOT NULL, -- that writes the plan as it is
    source      text NOT NULL,
    partition   text NOT NULL,
    plan_sha256 text NOT NULL,
    why         text NOT NULL DEFAULT '',
    run_id      text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stopped_writes_window ON stopped_writes (job, partition, id DESC);
CREATE INDEX asked_runs_partition ON asked_runs (partition);

CREATE TRIGGER stopped_writes_rows_stay
    BEFORE UPDATE OR DELETE ON stopped_writes FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER stopped_writes_stay
    BEFORE TRUNCATE ON stopped_writes FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
