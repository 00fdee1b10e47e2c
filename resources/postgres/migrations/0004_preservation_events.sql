-- PREMIS events, a hash chain a batch. Append-only: what is here was witnessed and is never rewritten.
CREATE TABLE preservation_events (
    batch         text NOT NULL,
    sequence      bigint NOT NULL CHECK (sequence >= 1),
    event_id      uuid NOT NULL UNIQUE,
    type          text NOT NULL,
    at            text NOT NULL, -- as it was hashed: UTC, ISO 8601, microseconds
    object        text NOT NULL,
    object_sha256 text NOT NULL CHECK (object_sha256 ~ '^([0-9a-f]{64})?$'),
    outcome       text NOT NULL CHECK (outcome IN ('success', 'fail', 'warning')),
    detail        text NOT NULL,
    agent         text NOT NULL,
    previous_hash text NOT NULL CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
    hash          text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    PRIMARY KEY (batch, sequence),
    -- A fork would need two events after the same one.
    UNIQUE (batch, previous_hash)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'preservation_events is append-only: % refused', TG_OP
        USING HINT = 'append an event that says what was wrong with the earlier one';
END $$;

CREATE TRIGGER preservation_events_rows_stay
    BEFORE UPDATE OR DELETE ON preservation_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER preservation_events_stay
    BEFORE TRUNCATE ON preservation_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
