-- A row a reading of a day's window of holdings or circulation: which days were read, when, and whether the day was over.
CREATE TABLE delta_windows (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset      text NOT NULL,
    ils        text NOT NULL,
    day        date NOT NULL,
    asked_from timestamptz NOT NULL, -- the window's begin less the overlap
    ends       timestamptz NOT NULL,
    read_at    timestamptz NOT NULL, -- by the library system's clock, before the first request
    entered_at timestamptz NOT NULL DEFAULT now(),
    complete   boolean NOT NULL,
    lacks      text NOT NULL DEFAULT '', -- why it is not complete
    watermark  text NOT NULL DEFAULT '', -- the latest moment of the system's clock that was seen
    rows       bigint NOT NULL DEFAULT 0,
    changes    bigint NOT NULL DEFAULT 0,
    whole      boolean NOT NULL DEFAULT false, -- everything was read and compared, not only what changed
    masking    text NOT NULL DEFAULT '', -- hash of the rules that the rows were masked by
    run_id     text NOT NULL DEFAULT ''
);
CREATE INDEX delta_windows_day ON delta_windows (asset, ils, day, id);

-- Holdings records and items as they were seen last, masked. A row that is gone in the library system is deleted here.
CREATE TABLE entity_states (
    ils         text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('holdings', 'item')),
    id          text NOT NULL,
    version     bigint NOT NULL,
    updated     text NOT NULL,
    body_sha256 text NOT NULL,
    body        text NOT NULL, -- JSON, masked
    PRIMARY KEY (ils, kind, id)
);

-- The last state of each item that was ever lent. holdfast/circulation/folding.py: the greatest event wins, in any order.
CREATE TABLE circulation_states (
    ils          text NOT NULL,
    item         text NOT NULL,
    state        text NOT NULL,
    event        text COLLATE "C" NOT NULL,
    loan         text NOT NULL,
    item_barcode text NOT NULL,
    patron       text NOT NULL CHECK (patron = '' OR patron LIKE 'pii:%'), -- never anybody's own id
    action       text NOT NULL,
    ended        boolean NOT NULL,
    began        timestamptz NOT NULL,
    at           timestamptz NOT NULL,
    due          timestamptz,
    library      text NOT NULL,
    updated      timestamptz NOT NULL,
    PRIMARY KEY (ils, item)
);
