-- The dispatch that somebody was left out of when it was claimed; NULL for what was decided when the push was created, or the step
-- planned.

-- +goose Up
ALTER TABLE decision ADD COLUMN dispatch_id INTEGER;
