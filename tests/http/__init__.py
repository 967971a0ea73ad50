"""HttpTestCase and its clients, and Django's live servers, which are taken over."""
