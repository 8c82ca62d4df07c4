"""Settings: the directives of redis.conf, read and written as text, checked and kept as values. Pure: no files here."""
