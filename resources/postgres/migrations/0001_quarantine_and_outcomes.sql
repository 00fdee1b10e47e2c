CREATE TABLE quarantine (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flow           text NOT NULL CHECK (flow IN ('catalogue', 'museum', 'preservation')),
    asset          text NOT NULL,
    partition      text NOT NULL,
    unit           text NOT NULL CHECK (unit IN ('record', 'file', 'page', 'object', 'batch')),
    code           text NOT NULL,
    place          text NOT NULL,
    rule           text NOT NULL,
    hint           text NOT NULL,
    correlation_id text NOT NULL DEFAULT '',
    sha256         text NOT NULL DEFAULT '',
    preview        text NOT NULL DEFAULT '',
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'released', 'replayed', 'discarded')),
    run_id         text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (flow, asset, partition, unit, code, place, sha256)
);
CREATE INDEX quarantine_waiting ON quarantine (flow, partition) WHERE state = 'waiting';

-- The last count of a partition, an outcome a row; the records themselves are in the lake.
CREATE TABLE outcomes (
    flow       text NOT NULL,
    asset      text NOT NULL,
    partition  text NOT NULL,
    outcome    text NOT NULL,
    count      bigint NOT NULL CHECK (count >= 0),
    run_id     text NOT NULL DEFAULT '',
    counted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (flow, partition, asset, outcome)
);
