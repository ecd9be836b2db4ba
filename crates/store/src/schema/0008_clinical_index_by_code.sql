-- Records of a person with a code, or of a category, within a time: found in one index, however many codes
-- the person's other records have. It takes the place of the one by time alone, which a time without an
-- end did not narrow down.
DROP INDEX clinical_index_start;
CREATE INDEX clinical_index_code ON clinical_index (subject, kind, code_token, start, finish, object);
