-- Events and states may carry seals, which a durun of version 1 can't read: it must refuse the journal as a newer one.

PRAGMA user_version = 2;
