-- The shared id that a session goes on under.
ALTER TABLE session ADD COLUMN under {blob};
