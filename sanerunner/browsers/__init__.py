"""Real browsers for tests: one for each process, a clean context for each test."""
