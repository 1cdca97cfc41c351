-- How far events have come on their way to the business: the receivers of an app's events, and the parts of the log that they get
-- beside what follows their cursor.

-- +goose Up

-- sequence is that up to which the whole log was looked at for receivers.
CREATE TABLE relay_head (
    one      smallint PRIMARY KEY CHECK (one = 1),
    sequence bigint   NOT NULL
);
INSERT INTO relay_head (one, sequence) VALUES (1, 0);

-- failures are those since the last success; attempts, failed and delivered count over all time. last_error is a text, of any bytes.
CREATE TABLE relay_endpoint (
    app             text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    uid             text    NOT NULL,
    state           text    NOT NULL,
    cursor          bigint  NOT NULL,
    last_span       bigint  NOT NULL,
    failures        bigint  NOT NULL,
    failing_since   bigint,
    next_attempt    bigint,
    last_error_time bigint,
    last_success    bigint,
    attempts        bigint  NOT NULL,
    failed          bigint  NOT NULL,
    delivered       bigint  NOT NULL,
    create_time     bigint,
    url             text    NOT NULL,
    last_error      bytea    NOT NULL,
    PRIMARY KEY (app, id)
);

-- The sequences from next to last, 0 for no end, of the push push_id, 0 for all. start_time and end_time are of events.
CREATE TABLE relay_span (
    app           text COLLATE "C" NOT NULL,
    endpoint      text COLLATE "C" NOT NULL,
    id            bigint NOT NULL,
    kind          text   NOT NULL,
    push_id       bigint NOT NULL,
    next          bigint NOT NULL,
    last          bigint NOT NULL,
    start_time    bigint,
    end_time      bigint,
    events        bigint NOT NULL,
    failures      bigint NOT NULL,
    failing_since bigint,
    next_attempt  bigint,
    create_time   bigint,
    last_error    bytea   NOT NULL,
    PRIMARY KEY (app, endpoint, id),
    FOREIGN KEY (app, endpoint) REFERENCES relay_endpoint (app, id) ON DELETE CASCADE
);

-- Dead letters are forgotten by their age.
CREATE INDEX relay_span_dead ON relay_span (create_time) WHERE kind = 'DEAD';
