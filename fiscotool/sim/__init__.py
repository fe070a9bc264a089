"""Run many cores in one thread against a seeded, faulty, virtual world."""
