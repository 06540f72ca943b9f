-- Events and states tell of plugins: the tables are as they were, but an older durun can't read what is in them.

PRAGMA user_version = 7;
