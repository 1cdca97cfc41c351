-- What there are millions of is kept packed: package layout draws the forms. `susul inspect` shows them.

-- +goose Up

-- Rows are not converted: no released version wrote any. A database that has pushes is refused.
CREATE TABLE written_before_the_first_release (
    pushes INTEGER NOT NULL CONSTRAINT this_database_was_written_before_the_first_release CHECK (pushes = 0)
) STRICT;
INSERT INTO written_before_the_first_release SELECT COUNT(*) FROM push;
DROP TABLE written_before_the_first_release;

DROP TABLE recipient;
DROP TABLE member;
DROP TABLE event;
DROP TABLE counter;
ALTER TABLE dispatch DROP COLUMN recipients;
-- layout.AppendOrdinals; NULL, like recipient_count, stands for the whole audience.
ALTER TABLE dispatch ADD COLUMN recipients BLOB;

-- Apps as the log names them.
CREATE TABLE app (
    id  INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
) STRICT;

-- layout.AppendRecipients: the registration ids of 400 recipients.
CREATE TABLE recipient_page (
    push_id INTEGER NOT NULL,
    page    INTEGER NOT NULL,
    ids     BLOB    NOT NULL,
    PRIMARY KEY (push_id, page)
) STRICT;

-- layout.BlockWriter: from registration ids to ordinals, for each full block of recipients. The others are searched for
-- page by page.
CREATE TABLE member_bucket (
    push_id INTEGER NOT NULL,
    bucket  INTEGER NOT NULL,
    block   INTEGER NOT NULL,
    members BLOB    NOT NULL,
    PRIMARY KEY (push_id, bucket, block)
) STRICT;

-- layout.AppendProgress: the progress of the same 400 recipients, as of fold.sequence or later. A page that is not there
-- is all zero.
CREATE TABLE progress_page (
    push_id INTEGER NOT NULL,
    page    INTEGER NOT NULL,
    words   BLOB    NOT NULL,
    PRIMARY KEY (push_id, page)
) STRICT;

-- Of whom a status came that has no bit of its own in the progress words (failures and unknown ones), by step: a
-- serialised roaring bitmap of ordinals, as of fold.sequence or later.
CREATE TABLE mark (
    push_id  INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    status   TEXT    NOT NULL,
    ordinals BLOB    NOT NULL,
    PRIMARY KEY (push_id, step, status)
) STRICT;

-- The log: events of one push each, with the sequences that begin at sequence, in ascending order of ordinal. body is
-- layout.SegmentWriter's; last_time is the latest event's, in seconds.
CREATE TABLE segment (
    sequence     INTEGER PRIMARY KEY,
    app_id       INTEGER NOT NULL,
    push_id      INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    last_time    INTEGER NOT NULL,
    receive_time INTEGER NOT NULL,
    body         BLOB    NOT NULL
) STRICT;

-- The segments of a push, with their first and last ordinal; and the spans of the log that have segments of an app. Both
-- are as of fold.sequence or later: kept up to date with each commit, they would cost more than all else.
CREATE TABLE segment_of_push (
    push_id  INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    low      INTEGER NOT NULL,
    high     INTEGER NOT NULL,
    PRIMARY KEY (push_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE span_of_app (
    app_id    INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    PRIMARY KEY (app_id, first)
) STRICT, WITHOUT ROWID;

-- What many events have in common.
CREATE TABLE event_kind (
    id            INTEGER PRIMARY KEY,
    milestone     INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    error_code    INTEGER NOT NULL,
    error_message TEXT    NOT NULL,
    channel       TEXT    NOT NULL,
    loss_source   TEXT    NOT NULL
) STRICT;

-- What is one event's own: of unknown statuses, and of those whose kind or time the log has no room for.
CREATE TABLE event_detail (
    sequence      INTEGER PRIMARY KEY,
    milestone     INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    time          INTEGER NOT NULL,
    error_code    INTEGER NOT NULL,
    error_message TEXT    NOT NULL,
    channel       TEXT    NOT NULL,
    loss_source   TEXT    NOT NULL,
    raw           BLOB
) STRICT;

-- step -1 counts each recipient once over all steps.
CREATE TABLE counter (
    push_id   INTEGER NOT NULL,
    step      INTEGER NOT NULL,
    sent      INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    displayed INTEGER NOT NULL,
    clicked   INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    PRIMARY KEY (push_id, step)
) STRICT, WITHOUT ROWID;

-- The sequence up to which progress_page, mark, segment_of_push and span_of_app surely have every event of the log.
CREATE TABLE fold (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL
) STRICT;
INSERT INTO fold (one, sequence) VALUES (1, 0);

-- Of a push that is old enough the recipients are deleted: 0 kept, 1 being deleted, 2 gone.
ALTER TABLE push ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
CREATE INDEX push_forgotten ON push (forgotten) WHERE forgotten < 2;
