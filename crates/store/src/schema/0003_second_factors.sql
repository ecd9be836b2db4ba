-- Sessions that go on under another token, and what was shown for them.
ALTER TABLE session ADD COLUMN began {int};
ALTER TABLE session ADD COLUMN proved {int};
ALTER TABLE session ADD COLUMN locked {int};
ALTER TABLE session ADD COLUMN continued {int};
ALTER TABLE session ADD COLUMN place {blob};

-- How far each second factor was used, so that nothing is good twice.
CREATE TABLE factor_use (
    factor {blob} NOT NULL PRIMARY KEY,
    counter {int} NOT NULL,
    used {int} NOT NULL
){clustered};

-- What was begun and waits for its second half: sign-ins, enrolments, challenges.
CREATE TABLE ceremony (
    token_hash {blob} NOT NULL PRIMARY KEY,
    purpose {text} NOT NULL,
    actor {blob},
    created {int} NOT NULL,
    expires {int} NOT NULL,
    body {blob} NOT NULL
){clustered};
CREATE INDEX ceremony_expires ON ceremony (expires);
