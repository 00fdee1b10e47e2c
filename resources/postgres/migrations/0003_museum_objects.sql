-- The public museum catalogue and its full-text search.

-- Without accents, so that 'Durer' finds 'Dürer'. The extension unaccent would do it too, but it is not everywhere.
CREATE FUNCTION museum_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(
    replace(replace(replace(
        regexp_replace(normalize(lower(value), NFKD), E'[\u0300-\u036F]', '', 'g'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
    'øłđðħıþŁØĐ', 'olddhitlod');

-- English stems without stop words: "of bridges" is a phrase of two words here, as it is for who types it.
CREATE TEXT SEARCH DICTIONARY museum_english (TEMPLATE = pg_catalog.snowball, Language = english);
CREATE TEXT SEARCH CONFIGURATION museum_english (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION museum_english
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH museum_english;

-- Words as they are, and for English also their stems ('drawings' finds 'drawing'). A tsvector holds 1 MB at most.
CREATE FUNCTION museum_words(value text, is_english boolean) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN is_english
    THEN to_tsvector('pg_catalog.simple'::regconfig, museum_fold(left(value, 50000)))
      || to_tsvector('museum_english'::regconfig, museum_fold(left(value, 50000)))
    ELSE to_tsvector('pg_catalog.simple'::regconfig, museum_fold(left(value, 50000))) END;

-- A: title and identifiers, B: creators, C: what it is, D: all else. array_to_string is immutable for text.
CREATE FUNCTION museum_document(
    title text[], creators text[], kinds text[], rest text[], languages text[]
) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(museum_words(array_to_string(title, E'\n'), array_to_string(languages, ' ') ~* '\men'), 'A')
    || setweight(museum_words(array_to_string(creators, E'\n'), false), 'B')
    || setweight(museum_words(array_to_string(kinds, E'\n'), array_to_string(languages, ' ') ~* '\men'), 'C')
    || setweight(museum_words(array_to_string(rest, E'\n'), array_to_string(languages, ' ') ~* '\men'), 'D');

CREATE TABLE museum_objects (
    collection         text NOT NULL,
    identifier         text NOT NULL,
    title              text NOT NULL,
    alternative_titles text[] NOT NULL,
    identifiers        text[] NOT NULL,
    creators           text[] NOT NULL,
    contributors       text[] NOT NULL,
    date_text          text,
    earliest_year      integer,
    latest_year        integer,
    types              text[] NOT NULL,
    subjects           text[] NOT NULL,
    description        text,
    medium             text,
    dimensions         text,
    places             text[] NOT NULL,
    periods            text[] NOT NULL,
    repository         text,
    credit_line        text,
    rights             text[] NOT NULL,
    relations          text[] NOT NULL,
    record_source      text,
    languages          text[] NOT NULL,
    image_url          text,
    page_url           text,
    content_sha256     text NOT NULL,
    first_indexed_at   timestamptz NOT NULL DEFAULT now(),
    changed_at         timestamptz NOT NULL DEFAULT now(),
    withdrawn_at       timestamptz,
    document           tsvector GENERATED ALWAYS AS (museum_document(
        title || alternative_titles || identifier || identifiers,
        creators,
        types || subjects || medium || date_text,
        contributors || places || periods || description || repository || credit_line || record_source,
        languages
    )) STORED,
    PRIMARY KEY (collection, identifier)
);
CREATE INDEX museum_objects_document ON museum_objects USING gin (document);
CREATE INDEX museum_objects_years ON museum_objects (earliest_year, latest_year) WHERE withdrawn_at IS NULL;

-- What of each collection is public: the day of its export, and a version that changes whenever an object does.
CREATE TABLE museum_collections (
    collection  text PRIMARY KEY,
    day         date NOT NULL,
    version     text NOT NULL,
    switched_at timestamptz NOT NULL DEFAULT now(),
    run_id      text NOT NULL DEFAULT ''
);
