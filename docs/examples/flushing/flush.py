from django.core.management import call_command


def flush(test, database):
    """Empty the tables, without the rows of post_migrate, then load those with fixed ids."""
    call_command(
        "flush", interactive=False, verbosity=0, database=database, inhibit_post_migrate=True
    )
    call_command("loaddata", "content_types", verbosity=0, database=database)
