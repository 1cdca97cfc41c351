-- An index ends with the rowid, here the id: what an app holds for one reason is one range of it, in the order of ids.

-- +goose Up
CREATE INDEX held_callback_reason ON held_callback (app, reason);
