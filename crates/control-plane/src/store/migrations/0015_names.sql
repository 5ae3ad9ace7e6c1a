-- Names are compared without their case in words that both engines know.
DROP INDEX one_account_a_name;
CREATE UNIQUE INDEX one_account_a_name ON accounts (lower(name));
DROP INDEX one_user_a_name;
CREATE UNIQUE INDEX one_user_a_name ON users (lower(name));
