-- What is known of devices, and the messages to them.

-- +goose Up

-- attributes is a JSON object as it came; NULL for none.
CREATE TABLE device (
    app             text COLLATE "C" NOT NULL,
    registration_id text COLLATE "C" NOT NULL,
    update_time     bigint NOT NULL,
    time_zone       text   NOT NULL,
    locale          text   NOT NULL,
    attributes      bytea,
    PRIMARY KEY (app, registration_id)
);

-- A device with a revive_time, which is not before time, is valid again; an invalidity that is not later is of no account. death is
-- log_head.deaths as it became invalid: so nodes learn which did since they looked.
CREATE TABLE invalid_device (
    app             text COLLATE "C" NOT NULL,
    registration_id text COLLATE "C" NOT NULL,
    time            bigint  NOT NULL,
    revive_time     bigint,
    delete_time     bigint,
    death           bigint  NOT NULL,
    reason          text    NOT NULL,
    status          text    NOT NULL,
    error_code      bigint  NOT NULL,
    error_message   text    NOT NULL,
    PRIMARY KEY (app, registration_id)
);
CREATE INDEX invalid_device_death ON invalid_device (death);

-- The messages that EngageLab took, or may have. Those that others than Susul sent were never claimed. A batch of which some
-- messages were taken may have ended in any way.
CREATE INDEX dispatch_message ON dispatch (app, COALESCE(claim_time, sent_time))
    WHERE state IN ('SENDING', 'SENT', 'UNANSWERED') OR settled > 0;
