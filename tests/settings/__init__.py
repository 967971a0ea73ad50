"""Settings of the library's own suite, one module for each database vendor."""
