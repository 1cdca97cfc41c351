-- How far events have come on their way to the business: the receivers of an app's events, and the parts of the log that they get
-- beside what follows their cursor.

-- +goose Up

-- sequence is that up to which the whole log was looked at for receivers.
CREATE TABLE relay_head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL
) STRICT;
INSERT INTO relay_head (one, sequence) VALUES (1, 0);

-- failures are those since the last success; attempts, failed and delivered count over all time.
CREATE TABLE relay_endpoint (
    app             TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    uid             TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    cursor          INTEGER NOT NULL,
    last_span       INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    failing_since   INTEGER,
    next_attempt    INTEGER,
    last_error_time INTEGER,
    last_success    INTEGER,
    attempts        INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    delivered       INTEGER NOT NULL,
    create_time     INTEGER,
    url             TEXT    NOT NULL,
    last_error      TEXT    NOT NULL,
    PRIMARY KEY (app, id)
) STRICT, WITHOUT ROWID;

-- The sequences from next to last, 0 for no end, of the push push_id, 0 for all. start_time and end_time are of events.
CREATE TABLE relay_span (
    app           TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,
    id            INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    push_id       INTEGER NOT NULL,
    next          INTEGER NOT NULL,
    last          INTEGER NOT NULL,
    start_time    INTEGER,
    end_time      INTEGER,
    events        INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    failing_since INTEGER,
    next_attempt  INTEGER,
    create_time   INTEGER,
    last_error    TEXT    NOT NULL,
    PRIMARY KEY (app, endpoint, id),
    FOREIGN KEY (app, endpoint) REFERENCES relay_endpoint (app, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Dead letters are forgotten by their age.
CREATE INDEX relay_span_dead ON relay_span (create_time) WHERE kind = 'DEAD';
