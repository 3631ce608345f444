"""Models that a package index holds, made into hub folders in the cache: for machines without the hub."""
