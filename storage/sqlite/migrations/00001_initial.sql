-- Times are unix milliseconds. Large columns come last, so that reading the others need not follow overflow pages.

-- +goose Up
CREATE TABLE leadership (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    term INTEGER NOT NULL
) STRICT;

CREATE TABLE policy_revision (
    uid      TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    spec     BLOB,
    PRIMARY KEY (uid, revision)
) STRICT;

-- state is DRAFT while a push is being stored in slices, and DISCARDED when that failed: both are hidden from every read.
CREATE TABLE push (
    id              INTEGER PRIMARY KEY,
    app             TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    fingerprint     BLOB,
    listed          INTEGER NOT NULL,
    external        INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    time_to_live    INTEGER NOT NULL,
    create_time     INTEGER NOT NULL,
    first_sent_time INTEGER,
    recipients      INTEGER NOT NULL,
    policy_uid      TEXT,
    policy_revision INTEGER,
    refusal         TEXT,
    callback_urls   TEXT,
    document        BLOB,
    FOREIGN KEY (policy_uid, policy_revision) REFERENCES policy_revision (uid, revision)
) STRICT;

CREATE INDEX push_app ON push (app);
CREATE UNIQUE INDEX push_request ON push (app, request_id)
    WHERE request_id <> '' AND state NOT IN ('REJECTED', 'EXPIRED', 'DISCARDED');
CREATE INDEX push_hidden ON push (state) WHERE state IN ('DRAFT', 'DISCARDED');

CREATE TABLE recipient (
    push_id         INTEGER NOT NULL,
    ordinal         INTEGER NOT NULL,
    registration_id TEXT    NOT NULL,
    progress        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (push_id, ordinal)
) STRICT, WITHOUT ROWID;

-- It stands in for an index, so that a large audience is written in the order of either table: rows that land all over
-- an index cost a page each.
CREATE TABLE member (
    push_id         INTEGER NOT NULL,
    registration_id TEXT    NOT NULL,
    ordinal         INTEGER NOT NULL,
    PRIMARY KEY (push_id, registration_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
    push_id       INTEGER NOT NULL REFERENCES push (id),
    number        INTEGER NOT NULL CHECK (number BETWEEN 1 AND 11),
    state         TEXT    NOT NULL,
    offset_ms     INTEGER NOT NULL,
    due_time      INTEGER,
    next_ordinal  INTEGER NOT NULL,
    cancel_reason TEXT    NOT NULL,
    PRIMARY KEY (push_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX step_due ON step (due_time) WHERE state = 'SCHEDULED';

-- recipients is a JSON array of ordinals; NULL, like recipient_count, stands for the whole audience.
-- ready_time is when the next claim may take the dispatch: its due time while PENDING, the end of the lease while
-- CLAIMED, either of them while SENDING, NULL in every other state. claim_time is when the claim was made that was, or
-- will be, the first to be started: EngageLab knew nothing of the dispatch before.
CREATE TABLE dispatch (
    id              INTEGER PRIMARY KEY,
    app             TEXT    NOT NULL,
    push_id         INTEGER NOT NULL REFERENCES push (id),
    step            INTEGER NOT NULL CHECK (step BETWEEN 0 AND 11),
    chunk           INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    attempt         INTEGER NOT NULL,
    due_time        INTEGER NOT NULL,
    expire_time     INTEGER,
    claim_time      INTEGER,
    ready_time      INTEGER,
    sent_time       INTEGER,
    upstream_id     TEXT,
    reason          TEXT    NOT NULL,
    refusal         TEXT,
    recipient_count INTEGER,
    recipients      TEXT,
    content         BLOB,
    UNIQUE (push_id, step, chunk)
) STRICT;

CREATE INDEX dispatch_push ON dispatch (push_id);
-- The steps of a push that has a SENDING dispatch are held back, and so are messages that may be such a dispatch's.
CREATE INDEX dispatch_sending ON dispatch (push_id) WHERE state = 'SENDING';
CREATE UNIQUE INDEX dispatch_upstream ON dispatch (app, upstream_id) WHERE upstream_id IS NOT NULL;
-- Claims take the first sendings (step > 0 is 0) before the follow-ups, each by due time.
CREATE INDEX dispatch_claim ON dispatch (app, step > 0, due_time) WHERE ready_time IS NOT NULL;
CREATE INDEX dispatch_ready ON dispatch (app, ready_time) WHERE ready_time IS NOT NULL;

CREATE TABLE event (
    sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
    app           TEXT    NOT NULL,
    push_id       INTEGER NOT NULL,
    dispatch_id   INTEGER NOT NULL,
    step          INTEGER NOT NULL,
    ordinal       INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    milestone     INTEGER NOT NULL,
    time          INTEGER NOT NULL,
    receive_time  INTEGER NOT NULL,
    error_code    INTEGER NOT NULL,
    error_message TEXT    NOT NULL,
    channel       TEXT    NOT NULL,
    loss_source   TEXT    NOT NULL,
    raw           BLOB,
    UNIQUE (push_id, ordinal, step, status)
) STRICT;

-- An index ends with the rowid, here the sequence: a page of an app's or a push's events is one range of it.
CREATE INDEX event_app ON event (app);
CREATE INDEX event_push ON event (push_id);

-- digest tells rows apart that miss an id: the SHA-256 of raw for those, in hex; empty for all others.
CREATE TABLE held_callback (
    id              INTEGER PRIMARY KEY,
    app             TEXT    NOT NULL,
    upstream_id     TEXT    NOT NULL,
    registration_id TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    digest          TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    milestone       INTEGER NOT NULL,
    time            INTEGER NOT NULL,
    receive_time    INTEGER NOT NULL,
    error_code      INTEGER NOT NULL,
    error_message   TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    loss_source     TEXT    NOT NULL,
    raw             BLOB,
    UNIQUE (app, upstream_id, registration_id, status, digest)
) STRICT;

CREATE INDEX held_callback_upstream ON held_callback (app, upstream_id);
CREATE INDEX held_callback_stray ON held_callback (app, upstream_id)
    WHERE reason = 'UNKNOWN_MESSAGE' AND upstream_id <> '' AND registration_id <> '';

-- step -1 counts each recipient once over all steps.
CREATE TABLE counter (
    push_id   INTEGER NOT NULL,
    step      INTEGER NOT NULL,
    milestone INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (push_id, step, milestone)
) STRICT, WITHOUT ROWID;

CREATE TABLE passed_over (
    push_id INTEGER NOT NULL,
    step    INTEGER NOT NULL,
    reason  TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (push_id, step, reason)
) STRICT, WITHOUT ROWID;
