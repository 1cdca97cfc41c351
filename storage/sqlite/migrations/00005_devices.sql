-- What is known of devices, and the messages to them.

-- +goose Up

-- app_id is as in the log. attributes is a JSON object; NULL for none.
CREATE TABLE device (
    app_id          INTEGER NOT NULL,
    registration_id TEXT    NOT NULL,
    update_time     INTEGER NOT NULL,
    time_zone       TEXT    NOT NULL,
    locale          TEXT    NOT NULL,
    attributes      BLOB,
    PRIMARY KEY (app_id, registration_id)
) STRICT;

-- A device with a revive_time, which is not before time, is valid again; an invalidity that is not later is of no account.
CREATE TABLE invalid_device (
    app_id          INTEGER NOT NULL,
    registration_id TEXT    NOT NULL,
    time            INTEGER NOT NULL,
    revive_time     INTEGER,
    delete_time     INTEGER,
    reason          TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    error_code      INTEGER NOT NULL,
    error_message   TEXT    NOT NULL,
    PRIMARY KEY (app_id, registration_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE held_callback ADD COLUMN invalidates TEXT NOT NULL DEFAULT '';

-- The messages that EngageLab took, or may have. Those that others than Susul sent were never claimed. A batch of which some
-- messages were taken may have ended in any way.
CREATE INDEX dispatch_message ON dispatch (app, COALESCE(claim_time, sent_time))
    WHERE state IN ('SENDING', 'SENT', 'UNANSWERED') OR settled > 0;
