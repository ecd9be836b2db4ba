-- What a version is sorted by, committed to with it: the head's copy alone could be moved unseen.
-- Empty in versions that were written before this step.
ALTER TABLE object_version ADD COLUMN sort_time {int};
