-- What follow-ups need: variants, batches of single messages, who was passed over when, holds and measurements.

-- +goose Up
ALTER TABLE step ADD COLUMN hold_time INTEGER;
ALTER TABLE step ADD COLUMN measure_time INTEGER;
CREATE INDEX step_measure ON step (measure_time) WHERE state = 'PLANNED' AND measure_time IS NOT NULL;

-- Made anew, so that large columns still come last.
-- recipients is layout.AppendOrdinals; NULL, like recipient_count, stands for the whole audience. low and high are the first
-- and last ordinal that may be among them. units is what the dispatch costs of the app's quota; settled is how many of a
-- batch's single messages have a result.
-- ready_time is when the next claim may take the dispatch: its due time while PENDING, the end of the lease while
-- CLAIMED, either of them while SENDING, NULL in every other state. claim_time is when the claim was made that was, or
-- will be, the first to be started: EngageLab knew nothing of the dispatch before. plan_time is NULL where it
-- was not noted yet.
CREATE TABLE new_dispatch (
    id              INTEGER PRIMARY KEY,
    app             TEXT    NOT NULL,
    push_id         INTEGER NOT NULL REFERENCES push (id),
    step            INTEGER NOT NULL CHECK (step BETWEEN 0 AND 11),
    chunk           INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    attempt         INTEGER NOT NULL,
    plan_time       INTEGER,
    due_time        INTEGER NOT NULL,
    expire_time     INTEGER,
    claim_time      INTEGER,
    ready_time      INTEGER,
    sent_time       INTEGER,
    upstream_id     TEXT,
    reason          TEXT    NOT NULL,
    refusal         TEXT,
    units           INTEGER NOT NULL,
    settled         INTEGER NOT NULL,
    recipient_count INTEGER,
    low             INTEGER NOT NULL,
    high            INTEGER NOT NULL,
    variant         TEXT    NOT NULL,
    plain_content   INTEGER NOT NULL,
    override        TEXT    NOT NULL,
    recipients      BLOB,
    content         BLOB,
    UNIQUE (push_id, step, chunk)
) STRICT;

INSERT INTO new_dispatch (id, app, push_id, step, chunk, state, attempt, due_time, expire_time, claim_time, ready_time,
        sent_time, upstream_id, reason, refusal, units, settled, recipient_count, low, high, variant, plain_content, override,
        recipients, content)
    SELECT id, app, push_id, step, chunk, state, attempt, due_time, expire_time, claim_time, ready_time,
        sent_time, upstream_id, reason, refusal, 1, 0, recipient_count, 0, 4294967295, '', 0, '', recipients, content
    FROM dispatch ORDER BY id;
DROP TABLE dispatch;
ALTER TABLE new_dispatch RENAME TO dispatch;

CREATE INDEX dispatch_push ON dispatch (push_id);
-- Who got what is looked for among the dispatches that may have a recipient.
CREATE INDEX dispatch_span ON dispatch (push_id, low, high);
-- The steps of a push that has a SENDING dispatch are held back, and so are messages that may be such a dispatch's.
CREATE INDEX dispatch_sending ON dispatch (push_id) WHERE state = 'SENDING';
CREATE UNIQUE INDEX dispatch_upstream ON dispatch (app, upstream_id) WHERE upstream_id IS NOT NULL;
-- Claims take the first sendings (step > 0 is 0) before the follow-ups, each by due time.
CREATE INDEX dispatch_claim ON dispatch (app, step > 0, due_time) WHERE ready_time IS NOT NULL;
CREATE INDEX dispatch_ready ON dispatch (app, ready_time) WHERE ready_time IS NOT NULL;
-- What is claimed once the first dispatch of its push was sent.
CREATE INDEX dispatch_blocked ON dispatch (app, due_time) WHERE state = 'BLOCKED';

-- What each recipient of a batch of single messages is to get: layout.AppendSingles. It stays as it was planned.
CREATE TABLE batch (
    dispatch_id INTEGER PRIMARY KEY,
    singles     BLOB NOT NULL
) STRICT;

-- What became of the single messages: layout.AppendResults, in the order in which it was known.
CREATE TABLE batch_result (
    dispatch_id INTEGER PRIMARY KEY,
    results     BLOB NOT NULL
) STRICT;

-- The upstream ids of single messages, by the log's number of their app.
CREATE TABLE single (
    app_id      INTEGER NOT NULL,
    upstream_id TEXT    NOT NULL,
    dispatch_id INTEGER NOT NULL,
    PRIMARY KEY (app_id, upstream_id)
) STRICT, WITHOUT ROWID;

-- Who was passed over by one decision: layout.AppendSet of ordinals, the first and last of which are low and high.
-- passed_over has their number. dispatch_id is the dispatch that they were left out of when it was claimed; NULL for what was
-- decided when the push was created, or the step planned. time is NULL when it is not known.
CREATE TABLE decision (
    id          INTEGER PRIMARY KEY,
    push_id     INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    dispatch_id INTEGER,
    low         INTEGER NOT NULL,
    high        INTEGER NOT NULL,
    time        INTEGER,
    reason      TEXT    NOT NULL,
    ordinals    BLOB    NOT NULL
) STRICT;
CREATE INDEX decision_push ON decision (push_id, low, high);

-- What steps brought. key tells what of the policy was measured.
CREATE TABLE measurement (
    push_id    INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    policy_uid TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    time       INTEGER NOT NULL,
    PRIMARY KEY (push_id, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX measurement_key ON measurement (policy_uid, key, time);

CREATE TABLE measured_group (
    push_id    INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    holdout    TEXT    NOT NULL,
    variant    TEXT    NOT NULL,
    recipients INTEGER NOT NULL,
    clicked    INTEGER NOT NULL,
    PRIMARY KEY (push_id, step, holdout, variant)
) STRICT, WITHOUT ROWID;
