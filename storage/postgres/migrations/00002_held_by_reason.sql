-- What an app holds for one reason is one range of this index, in the order of ids.

-- +goose Up
CREATE INDEX held_callback_reason ON held_callback (app, reason, id);
CREATE INDEX held_callback_received ON held_callback (receive_time);
