"""Digests of a PostgreSQL schema, and a cheap stamp that tells when to read them again."""

from __future__ import annotations

import itertools

from .session import Session

#: Where everything of ours lives: Django's introspection does not look into other schemas.
SCHEMA = "sane_baseline"

_FIRST_USER_OID = 16384

# Catalogs of objects that projects seldom have, compared as they are.
_OTHERS = (
    "pg_operator",
    "pg_opclass",
    "pg_opfamily",
    "pg_cast",
    "pg_collation",
    "pg_conversion",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_publication",
    "pg_default_acl",
    "pg_language",
)

# Each part yields objects and lines that describe them. OIDs of relations are part of what is
# compared, because content is kept by them; those of constraints and the like are not.
_PARTS = (
    """SELECT r.name, ROW('relation', r.oid, relkind, relpersistence, relispopulated,
        relowner, relacl, reloptions, relrowsecurity, relforcerowsecurity, relreplident,
        reltablespace, reloftype, pg_get_expr(relpartbound, r.oid),
        CASE WHEN relkind = 'p' THEN pg_get_partkeydef(r.oid) END,
        CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END)::text FROM r""",
    """SELECT r.name, ROW('column', attnum, attname, format_type(atttypid, atttypmod),
        attnotnull, attidentity, attgenerated, attcollation, attacl, attstorage,
        attcompression, attoptions, pg_get_expr(adbin, adrelid))::text
       FROM r JOIN pg_attribute ON attrelid = r.oid AND attnum > 0 AND NOT attisdropped
       LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE relkind <> 'S'""",
    """SELECT r.name, ROW('constraint', conname, pg_get_constraintdef(k.oid), convalidated,
        conislocal)::text FROM r JOIN pg_constraint k ON conrelid = r.oid""",
    """SELECT r.name, ROW('index', pg_get_indexdef(indexrelid), indisvalid, indisready,
        indisclustered, indisreplident)::text FROM r JOIN pg_index ON indrelid = r.oid""",
    """SELECT r.name, ROW('trigger', tgenabled, pg_get_triggerdef(t.oid))::text
       FROM r JOIN pg_trigger t ON tgrelid = r.oid
       WHERE NOT tgisinternal AND tgfoid NOT IN (SELECT oid FROM ours)""",
    """SELECT r.name, ROW('key trigger', tgenabled, tgtype, conname)::text
       FROM r JOIN pg_trigger t ON tgrelid = r.oid JOIN pg_constraint k ON k.oid = tgconstraint
       WHERE tgisinternal AND tgenabled <> 'O'""",
    """SELECT r.name, ROW('rule', ev_enabled, pg_get_ruledef(w.oid))::text
       FROM r JOIN pg_rewrite w ON ev_class = r.oid WHERE rulename <> '_RETURN'""",
    """SELECT r.name, ROW('policy', polname, polcmd, polpermissive, polroles,
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))::text
       FROM r JOIN pg_policy ON polrelid = r.oid""",
    """SELECT r.name, ROW('inherits', inhparent, inhseqno)::text
       FROM r JOIN pg_inherits ON inhrelid = r.oid""",
    """SELECT r.name, ROW('sequence', q.*)::text FROM r JOIN pg_sequence q ON seqrelid = r.oid""",
    """SELECT r.name, ROW('owned', refobjid, refobjsubid)::text FROM r JOIN pg_depend d
       ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')
       AND d.refobjsubid > 0 WHERE relkind = 'S'""",
    """SELECT r.name, ROW('statistics', pg_get_statisticsobjdef(s.oid))::text
       FROM r JOIN pg_statistic_ext s ON stxrelid = r.oid""",
    """SELECT format('%I.%I', nspname, proname),
        ROW('function', proowner, proacl, CASE WHEN prokind = 'a' THEN
            (SELECT a::text FROM pg_aggregate a WHERE aggfnoid = p.oid)
            ELSE pg_get_functiondef(p.oid) END)::text
       FROM pg_proc p JOIN n ON n.oid = pronamespace WHERE p.oid >= 16384
       AND NOT EXISTS (SELECT FROM members m
                       WHERE m.objid = p.oid AND m.classid = 'pg_proc'::regclass)""",
    """SELECT format('%I.%I', nspname, typname), ROW('type', t.oid, typtype, typowner, typacl,
        typnotnull, typdefault, format_type(typbasetype, typtypmod), typcollation,
        (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder)
         FROM pg_enum WHERE enumtypid = t.oid),
        (SELECT string_agg(ROW(conname, convalidated, pg_get_constraintdef(k.oid))::text, ','
                           ORDER BY conname) FROM pg_constraint k WHERE contypid = t.oid))::text
       FROM pg_type t JOIN n ON n.oid = typnamespace
       WHERE typtype <> 'c' AND typelem = 0 AND NOT EXISTS
        (SELECT FROM members m WHERE m.objid = t.oid AND m.classid = 'pg_type'::regclass)""",
    "SELECT 'schema ' || nspname, ROW(oid, nspowner, nspacl)::text FROM n",
    "SELECT 'extension ' || extname, ROW(extversion, extnamespace)::text FROM pg_extension",
    """SELECT 'event trigger ' || evtname, ROW(evtevent, evtfoid, evtenabled, evttags)::text
       FROM pg_event_trigger WHERE evtfoid NOT IN (SELECT oid FROM ours)""",
    """SELECT 'comment on ' || pg_describe_object(classoid, objoid, objsubid), description
       FROM pg_description d WHERE objoid >= 16384 AND NOT EXISTS
        (SELECT FROM members m WHERE m.objid = d.objoid AND m.classid = d.classoid)""",
    *(
        f"SELECT '{catalog} ' || oid, o::text FROM {catalog} o WHERE oid >= {_FIRST_USER_OID}"
        for catalog in _OTHERS
    ),
)

_DIGESTS = f"""
WITH n AS (SELECT * FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
           AND nspname NOT IN ('information_schema', '{SCHEMA}')),
 r AS (SELECT c.*, format('%I.%I', nspname, relname) AS name
       FROM pg_class c JOIN n ON n.oid = relnamespace
       WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND relpersistence <> 't'),
 ours AS (SELECT p.oid FROM pg_proc p JOIN pg_namespace o ON o.oid = pronamespace
          WHERE nspname = '{SCHEMA}'),
 members AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
SELECT object, md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C"))
FROM ({" UNION ALL ".join(_PARTS)}) AS part(object, line) GROUP BY object"""

_STAMP = " || ' ' || ".join(
    f"(SELECT count(*) || ':' || coalesce(min(age(xmin)) - age($1::xid), 0)"
    f" FROM {catalog} WHERE {key} >= {_FIRST_USER_OID}{condition})"
    for catalog, key, condition in (
        ("pg_class", "oid", " AND relpersistence <> 't'"),
        ("pg_attribute", "attrelid", " AND attnum > 0"),
        ("pg_attrdef", "oid", ""),
        ("pg_constraint", "oid", ""),
        ("pg_trigger", "oid", ""),
        ("pg_proc", "oid", ""),
        ("pg_type", "oid", ""),
        ("pg_enum", "oid", ""),
        ("pg_namespace", "oid", ""),
        ("pg_rewrite", "oid", ""),
        ("pg_sequence", "seqrelid", ""),
        ("pg_policy", "oid", ""),
        ("pg_extension", "oid", ""),
        ("pg_inherits", "inhrelid", ""),
        ("pg_statistic_ext", "oid", ""),
        ("pg_description", "objoid", ""),
    )
)


# What tells whether anything that the digests are made of has changed: transactions write new
# versions of rows, whose numbers are higher. So where as many rows have numbers with the same
# sum, they are the same rows.
_VERSION = f"""
WITH n AS (SELECT oid, xmin FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
           AND nspname NOT IN ('information_schema', '{SCHEMA}')),
 r AS (SELECT oid, xmin, relkind FROM pg_class WHERE relnamespace IN (SELECT oid FROM n)
       AND relpersistence <> 't'),
 ours AS (SELECT oid FROM pg_proc WHERE pronamespace = to_regnamespace('{SCHEMA}'))
SELECT """ + " || ' ' || ".join(
    f"(SELECT count(*) || ':' || coalesce(sum(o.xmin::text::bigint), 0) FROM {source})"
    for source in (
        "r o",
        "n o",
        "pg_attribute o JOIN r ON r.oid = attrelid WHERE attnum > 0",
        "pg_attrdef o JOIN r ON r.oid = adrelid",
        "pg_constraint o JOIN n ON n.oid = connamespace",
        "pg_index o JOIN r ON r.oid = indrelid",
        "pg_trigger o JOIN r ON r.oid = tgrelid WHERE tgfoid NOT IN (SELECT oid FROM ours)",
        "pg_rewrite o JOIN r ON r.oid = ev_class",
        "pg_policy o JOIN r ON r.oid = polrelid",
        "pg_inherits o JOIN r ON r.oid = inhrelid",
        "pg_sequence o JOIN r ON r.oid = seqrelid",
        "pg_statistic_ext o JOIN r ON r.oid = stxrelid",
        """pg_depend o JOIN r ON r.oid = objid WHERE relkind = 'S' AND refobjsubid > 0
           AND classid = 'pg_class'::regclass""",
        "pg_depend o WHERE deptype = 'e'",
        "pg_proc o JOIN n ON n.oid = pronamespace",
        f"pg_aggregate o WHERE aggfnoid >= {_FIRST_USER_OID}",
        "pg_type o JOIN n ON n.oid = typnamespace WHERE typtype <> 'c'",
        "pg_enum o",
        "pg_extension o",
        "pg_event_trigger o WHERE evtfoid NOT IN (SELECT oid FROM ours)",
        f"pg_description o WHERE objoid >= {_FIRST_USER_OID}",
        *(f"{catalog} o WHERE oid >= {_FIRST_USER_OID}" for catalog in _OTHERS),
    )
)


def read_version(session: Session) -> str:
    """Return numbers that differ if the schema does: cheap, where the digests are dear.

    They also differ where nothing but the history of the schema does.
    """
    ((version,),) = session.rows(_VERSION)
    return str(version)


def read_digests(session: Session) -> dict[str, str]:
    """Return a digest of each object of the schema, by its name."""
    return {str(name): str(digest) for name, digest in session.rows(_DIGESTS)}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the names of the objects that were made, changed or dropped."""
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )


class Stamp:
    """A few numbers that change whenever the catalogs change (temporary tables change them too).

    For roles that may not create event triggers: a millisecond or so, instead of many for the
    digests.
    """

    _numbers = itertools.count()

    def __init__(self, session: Session) -> None:
        self._session = session
        ((self._since,),) = session.rows("SELECT pg_current_xact_id()::xid::text")
        self._name = f"sane_stamp_{next(self._numbers)}"
        session.rows(f"PREPARE {self._name}(text) AS SELECT {_STAMP}")
        self._value = self._read()

    def renew(self) -> None:
        """Take the catalogs as they are now."""
        self._value = self._read()

    def changed(self) -> bool:
        return self._read() != self._value

    def _read(self) -> str:
        ((value,),) = self._session.rows(f"EXECUTE {self._name}('{self._since}')")
        return str(value)
