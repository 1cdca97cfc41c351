-- What EngageLab reported: how far recipients came, the log of events, and what follows from it.

-- +goose Up

-- A recipient of whom nothing was reported has no row. was is the word before the latest change: it lets one statement set bits and tell
-- which of them are new. Rows are changed in place while their page has room:
-- with less of it, every other change would touch the index.
CREATE TABLE progress (
    push_id bigint NOT NULL,
    ordinal bigint NOT NULL,
    word    bigint NOT NULL,
    was     bigint NOT NULL,
    PRIMARY KEY (push_id, ordinal)
) WITH (fillfactor = 45);

-- Of whom a status came that has no bit of its own in the progress words: failures and unknown ones.
CREATE TABLE mark (
    push_id bigint   NOT NULL,
    step    smallint NOT NULL,
    status  text COLLATE "C" NOT NULL,
    ordinal bigint   NOT NULL,
    PRIMARY KEY (push_id, step, status, ordinal)
);

-- The end of the log. Who appends to it holds this row until the commit, as the last thing that a transaction waits for: so events become
-- visible in the order of their sequences.
-- deaths grows whenever devices become invalid, forgets whenever a push begins to be forgotten: who appends sees whether that happened since
-- it looked.
CREATE TABLE log_head (
    one      smallint PRIMARY KEY CHECK (one = 1),
    sequence bigint   NOT NULL,
    deaths   bigint   NOT NULL,
    forgets  bigint   NOT NULL
);
INSERT INTO log_head (one, sequence, deaths, forgets) VALUES (1, 0, 0, 0);

-- The log: events of one push each, with the sequences that begin at sequence, in ascending order of ordinal. body is
-- layout.SegmentWriter's; low and high are the first and last ordinal, last_time is the latest event's, in seconds. day is that of
-- receive_time, in days since 1970; each has a partition, which goes when all of it is forgotten.
CREATE TABLE segment (
    sequence     bigint  NOT NULL,
    day          integer NOT NULL,
    app          text COLLATE "C" NOT NULL,
    push_id      bigint  NOT NULL,
    events       integer NOT NULL,
    low          bigint  NOT NULL,
    high         bigint  NOT NULL,
    last_time    bigint  NOT NULL,
    receive_time bigint  NOT NULL,
    body         bytea   NOT NULL
) PARTITION BY RANGE (day);
ALTER TABLE segment ALTER COLUMN body SET STORAGE EXTERNAL; -- there is nothing in it to compress
CREATE UNIQUE INDEX segment_sequence ON segment (sequence, day);
CREATE INDEX segment_push ON segment (push_id, sequence);
CREATE INDEX segment_app ON segment (app, sequence);

-- The sequences that a day's partition holds, so that reads look into no others.
CREATE TABLE log_day (
    day   integer PRIMARY KEY,
    first bigint  NOT NULL,
    last  bigint  NOT NULL
);

-- What many events have in common.
CREATE TABLE event_kind (
    id            integer  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    milestone     smallint NOT NULL,
    status        text COLLATE "C" NOT NULL,
    error_code    bigint   NOT NULL,
    error_message text     NOT NULL,
    channel       text COLLATE "C" NOT NULL,
    loss_source   text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX event_kind_all ON event_kind (milestone, status, error_code, md5(error_message), channel, loss_source);

-- What is one event's own: of unknown statuses, and of those whose kind or time the log has no room for.
CREATE TABLE event_detail (
    sequence      bigint   PRIMARY KEY,
    milestone     smallint NOT NULL,
    status        text     NOT NULL,
    time          bigint   NOT NULL,
    error_code    bigint   NOT NULL,
    error_message text     NOT NULL,
    channel       text     NOT NULL,
    loss_source   text     NOT NULL,
    raw           bytea
);

-- Up to when, in hours since 1970, devices of a push reported life: an invalidity that is later needs not be compared with its events.
CREATE TABLE life (
    push_id bigint PRIMARY KEY,
    app     text COLLATE "C" NOT NULL,
    hour    bigint NOT NULL
);
CREATE INDEX life_hour ON life (app, hour);

-- What steps have of each milestone. step -1 tells by how much all steps together, each recipient counted once, are ahead of step 0: it
-- may be less than nothing, and mostly it is nothing, so that there is no row.
CREATE TABLE counter (
    push_id   bigint   NOT NULL,
    step      smallint NOT NULL,
    sent      bigint   NOT NULL,
    delivered bigint   NOT NULL,
    displayed bigint   NOT NULL,
    clicked   bigint   NOT NULL,
    failed    bigint   NOT NULL,
    PRIMARY KEY (push_id, step)
) WITH (fillfactor = 50);
