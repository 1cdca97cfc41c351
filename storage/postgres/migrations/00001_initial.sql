-- Times are unix milliseconds. What a table's columns mean is told here where the types of package storage do not. Texts that are looked
-- for have the collation "C": they are in the order of their bytes whatever the database's locale is, and an update of the system's
-- locales spoils no index.

-- +goose Up

-- term is the latest leader's. Who writes as a leader shares an advisory lock, so that a successor waits for that write. election names
-- the elections that leaders come from, empty before the first; their own terms begin at election_base.
CREATE TABLE leadership (
    one           smallint PRIMARY KEY CHECK (one = 1),
    term          bigint   NOT NULL,
    election      text     NOT NULL DEFAULT '',
    election_base bigint   NOT NULL DEFAULT 0
);
INSERT INTO leadership (one, term) VALUES (1, 0);

-- The migration that fills this database, or did, from what source tells from others. Nodes work with it only once it is complete; a
-- database that was not migrated has no row.
CREATE TABLE migration (
    one           smallint PRIMARY KEY CHECK (one = 1),
    source        text     NOT NULL,
    start_time    bigint   NOT NULL,
    complete_time bigint
);
-- How far each table came. place is where the source goes on, in its own words: empty at the beginning, NULL at the end.
CREATE TABLE migration_table (
    name  text   PRIMARY KEY,
    place text,
    rows  bigint NOT NULL
);

CREATE TABLE policy_revision (
    uid      text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    name     text   NOT NULL,
    spec     bytea,
    PRIMARY KEY (uid, revision)
);

-- forgotten says what is left of the recipients of an old push: 0 all, 1 some, 2 none.
CREATE TABLE push (
    id              bigint   PRIMARY KEY,
    app             text COLLATE "C" NOT NULL,
    request_id      text COLLATE "C" NOT NULL,
    fingerprint     bytea,
    listed          boolean  NOT NULL,
    external        boolean  NOT NULL,
    state           text     NOT NULL,
    time_to_live    bigint   NOT NULL,
    create_time     bigint   NOT NULL,
    first_sent_time bigint,
    recipients      bigint   NOT NULL,
    forgotten       smallint NOT NULL DEFAULT 0,
    policy_uid      text COLLATE "C",
    policy_revision bigint,
    refusal         json,
    callback_urls   text[],
    document        bytea,
    FOREIGN KEY (policy_uid, policy_revision) REFERENCES policy_revision (uid, revision)
);
CREATE INDEX push_app ON push (app, id);
CREATE UNIQUE INDEX push_request ON push (app, request_id) WHERE request_id <> '' AND state NOT IN ('REJECTED', 'EXPIRED');
CREATE INDEX push_forgotten ON push (create_time) WHERE forgotten < 2;

-- A recipient's row never changes; how far it came is in progress.
CREATE TABLE recipient (
    push_id         bigint NOT NULL,
    ordinal         bigint NOT NULL,
    registration_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (push_id, ordinal)
);
CREATE UNIQUE INDEX recipient_member ON recipient (push_id, registration_id);

CREATE TABLE step (
    push_id       bigint   NOT NULL REFERENCES push (id),
    number        smallint NOT NULL CHECK (number BETWEEN 1 AND 11),
    state         text     NOT NULL,
    offset_ms     bigint   NOT NULL,
    due_time      bigint,
    next_ordinal  bigint   NOT NULL,
    cancel_reason text     NOT NULL,
    PRIMARY KEY (push_id, number)
);
CREATE INDEX step_due ON step (due_time) WHERE state = 'SCHEDULED';

-- recipients is layout.AppendOrdinals; NULL, like recipient_count, stands for the whole audience. low and high are the first and last
-- ordinal that may be among them. units is what the dispatch costs of the app's quota; settled is how many of a batch's single messages
-- have a result.
-- ready_time is when the next claim may take the dispatch: its due time while PENDING, the end of the lease while CLAIMED, either of
-- them while SENDING, NULL in every other state. claim_time is when the claim was made that was, or will be, the first to be
-- started: EngageLab knew nothing of the dispatch before. claim_term is the term of who claimed, 0 for one who does not lead.
-- home is the handle that made the push: who finishes its first dispatch elsewhere, tells it.
CREATE TABLE dispatch (
    id              bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app             text COLLATE "C" NOT NULL,
    push_id         bigint   NOT NULL REFERENCES push (id),
    step            smallint NOT NULL CHECK (step BETWEEN 0 AND 11),
    chunk           bigint   NOT NULL,
    state           text     NOT NULL,
    attempt         integer  NOT NULL,
    home            bigint   NOT NULL,
    plan_time       bigint,
    due_time        bigint   NOT NULL,
    expire_time     bigint,
    claim_time      bigint,
    claim_term      bigint   NOT NULL DEFAULT 0,
    ready_time      bigint,
    sent_time       bigint,
    upstream_id     text COLLATE "C",
    reason          text     NOT NULL,
    refusal         json,
    units           integer  NOT NULL,
    settled         integer  NOT NULL,
    recipient_count bigint,
    low             bigint   NOT NULL,
    high            bigint   NOT NULL,
    variant         text     NOT NULL,
    plain_content   boolean  NOT NULL,
    override        text     NOT NULL,
    recipients      bytea,
    content         bytea,
    UNIQUE (push_id, step, chunk)
);
-- What is on its way. The steps of a push that has a SENDING dispatch are held back, and so are messages that may be such a dispatch's.
CREATE INDEX dispatch_under_way ON dispatch (push_id) WHERE state IN ('CLAIMED', 'SENDING');
CREATE UNIQUE INDEX dispatch_upstream ON dispatch (app, upstream_id) WHERE upstream_id IS NOT NULL;
-- Claims take the first sendings before the follow-ups, each by due time.
CREATE INDEX dispatch_claim ON dispatch (app, (LEAST(step, 1)), due_time, id) WHERE ready_time IS NOT NULL;

-- digest tells rows apart that miss an id: the SHA-256 of raw for those, in hex; empty for all others.
CREATE TABLE held_callback (
    id              bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app             text COLLATE "C" NOT NULL,
    upstream_id     text COLLATE "C" NOT NULL,
    registration_id text COLLATE "C" NOT NULL,
    status          text COLLATE "C" NOT NULL,
    digest          text COLLATE "C" NOT NULL,
    reason          text COLLATE "C" NOT NULL,
    milestone       smallint NOT NULL,
    time            bigint   NOT NULL,
    receive_time    bigint   NOT NULL,
    error_code      bigint   NOT NULL,
    error_message   text     NOT NULL,
    channel         text     NOT NULL,
    loss_source     text     NOT NULL,
    invalidates     text     NOT NULL,
    raw             bytea,
    UNIQUE (app, upstream_id, registration_id, status, digest)
);
CREATE INDEX held_callback_upstream ON held_callback (app, upstream_id);
CREATE INDEX held_callback_stray ON held_callback (app, upstream_id)
    WHERE reason = 'UNKNOWN_MESSAGE' AND upstream_id <> '' AND registration_id <> '';

CREATE TABLE passed_over (
    push_id bigint   NOT NULL,
    step    smallint NOT NULL,
    reason  text COLLATE "C" NOT NULL,
    n       bigint   NOT NULL,
    PRIMARY KEY (push_id, step, reason)
);
