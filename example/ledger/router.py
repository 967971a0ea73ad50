class LedgerRouter:
    """Keeps the ledger's tables in the ``ledger`` database and everything else out of it."""

    database = "ledger"
    app_label = "ledger"

    def db_for_read(self, model, **hints):
        return self.database if model._meta.app_label == self.app_label else None

    db_for_write = db_for_read

    def allow_relation(self, first, second, **hints):
        # A row read from the replica is the same row as in the default database.
        one_shop = {"default", "replica"}
        return True if {first._state.db, second._state.db} <= one_shop else None

    def allow_migrate(self, db, app_label, **hints):
        if db == "replica":
            return False
        return (db == self.database) == (app_label == self.app_label)
