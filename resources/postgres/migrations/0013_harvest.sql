-- Files that were fetched from a vendor's server: fetched once for each state that they were seen in.
CREATE TABLE fetched_files (
    source     text NOT NULL,
    name       text NOT NULL,
    state      text NOT NULL,
    day        date NOT NULL,
    bytes      bigint NOT NULL,
    sha256     text NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, name, state, day)
);

-- A row a fetch of a window from a repository, whole or not.
CREATE TABLE harvest_log (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source             text NOT NULL,
    day                date NOT NULL,
    window_from        text NOT NULL,
    window_until       text NOT NULL,
    began_at           timestamptz NOT NULL,
    ended_at           timestamptz NOT NULL DEFAULT now(),
    state              text NOT NULL CHECK (state IN ('whole', 'failed')),
    records            bigint NOT NULL DEFAULT 0,
    deleted            bigint NOT NULL DEFAULT 0,
    new_records        bigint NOT NULL DEFAULT 0,
    complete_list_size bigint,
    identifiers_sha256 text NOT NULL DEFAULT '',
    drop_sha256        text NOT NULL DEFAULT '',
    requests           bigint NOT NULL DEFAULT 0,
    restarts           bigint NOT NULL DEFAULT 0,
    error              text NOT NULL DEFAULT '',
    run_id             text NOT NULL DEFAULT ''
);
CREATE INDEX harvest_log_window ON harvest_log (source, day, state);
