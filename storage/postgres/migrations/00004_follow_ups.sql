-- What follow-ups need: batches of single messages, who was passed over when, holds and measurements.

-- +goose Up
ALTER TABLE step ADD COLUMN hold_time bigint;
ALTER TABLE step ADD COLUMN measure_time bigint;
CREATE INDEX step_measure ON step (measure_time) WHERE state = 'PLANNED' AND measure_time IS NOT NULL;

-- Who got what is looked for among the dispatches that may have a recipient.
CREATE INDEX dispatch_span ON dispatch (push_id, low, high);
-- What is claimed once the first dispatch of its push was sent.
CREATE INDEX dispatch_blocked ON dispatch (app, due_time) WHERE state = 'BLOCKED';

-- What each recipient of a batch of single messages is to get: layout.AppendSingles. It stays as it was planned.
CREATE TABLE batch (
    dispatch_id bigint PRIMARY KEY,
    singles     bytea  NOT NULL
);

-- What became of the single messages: layout.AppendResults, in the order in which it was known.
CREATE TABLE batch_result (
    dispatch_id bigint PRIMARY KEY,
    results     bytea  NOT NULL
);

-- The upstream ids of single messages.
CREATE TABLE single (
    app         text COLLATE "C" NOT NULL,
    upstream_id text COLLATE "C" NOT NULL,
    dispatch_id bigint NOT NULL,
    PRIMARY KEY (app, upstream_id)
);
CREATE INDEX single_dispatch ON single (dispatch_id);

-- Who was passed over by one decision: layout.AppendSet of ordinals, the first and last of which are low and high. passed_over has
-- their number. dispatch_id is the dispatch that they were left out of when it was claimed; NULL for what was decided when
-- the push was created, or the step planned. time is NULL when it is not known.
CREATE TABLE decision (
    id          bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    push_id     bigint   NOT NULL,
    step        smallint NOT NULL,
    dispatch_id bigint,
    low         bigint   NOT NULL,
    high        bigint   NOT NULL,
    time        bigint,
    reason      text     NOT NULL,
    ordinals    bytea    NOT NULL
);
CREATE INDEX decision_push ON decision (push_id, low, high);

-- What steps brought. key tells what of the policy was measured.
CREATE TABLE measurement (
    push_id    bigint   NOT NULL,
    step       smallint NOT NULL,
    policy_uid text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    time       bigint   NOT NULL,
    PRIMARY KEY (push_id, step)
);
CREATE INDEX measurement_key ON measurement (policy_uid, key, time);

CREATE TABLE measured_group (
    push_id    bigint   NOT NULL,
    step       smallint NOT NULL,
    holdout    text COLLATE "C" NOT NULL,
    variant    text COLLATE "C" NOT NULL,
    recipients bigint   NOT NULL,
    clicked    bigint   NOT NULL,
    PRIMARY KEY (push_id, step, holdout, variant)
);
