CREATE TABLE failures (
    run_id    text PRIMARY KEY,
    job       text NOT NULL,
    partition text NOT NULL,
    step      text NOT NULL,
    message   text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now()
);
