-- A run that is asked for may wait for a moment: until the day's quota is there again, or another run is done.
ALTER TABLE asked_runs ADD COLUMN not_before timestamptz;
CREATE INDEX asked_runs_window ON asked_runs (job, partition);
