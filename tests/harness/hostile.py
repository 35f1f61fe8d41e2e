"""Defaults of PostgreSQL's that an administrator can set against a service that stands on others."""

from __future__ import annotations

TIMEOUT_MS = 300
# For a session of the administrator's own that is to outlive them.
NO_TIMEOUTS = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name LIKE '%_timeout' AND context = 'user'"

SETTINGS = {
    "synchronous_commit": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "client_min_messages": "error",
    "lock_timeout": "1",
    "statement_timeout": str(TIMEOUT_MS),
    "idle_in_transaction_session_timeout": "1",
    "idle_session_timeout": str(TIMEOUT_MS),
    "transaction_timeout": str(TIMEOUT_MS),
    "session_replication_role": "replica",
    "row_security": "off",
    "transform_null_equals": "on",
    "exit_on_error": "on",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Pacific/Kiritimati",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "quote_all_identifiers": "on",
    "plan_cache_mode": "force_custom_plan",
    "enable_indexscan": "off",
    "search_path": "elsewhere, public",
}
LEVELS = ("server", "database", "role")


def statements(level: str, database: str, role: str, known: set[str]) -> list[str]:
    """What sets them all on one level, and has the server take it up. `known`: the names in pg_settings."""
    begin = {"server": "ALTER SYSTEM", "database": f'ALTER DATABASE "{database}"', "role": f'ALTER ROLE "{role}"'}[level]
    made = []
    for name, value in SETTINGS.items():
        # A list is given word by word.
        shown = value if name in ("search_path", "DateStyle") else f"'{value}'"
        if name in known:
            made.append(f"{begin} SET {name} = {shown}")
    return [*made, "SELECT pg_reload_conf()"]


def shadow(role: str) -> list[str]:
    """Tables of the service's names in a schema that the hostile search_path has first."""
    return [
        "CREATE SCHEMA elsewhere",
        f'GRANT ALL ON SCHEMA elsewhere TO "{role}"',
        "CREATE TABLE elsewhere.counters (id SERIAL PRIMARY KEY, count BIGINT NOT NULL, ledger BIGINT[] NOT NULL DEFAULT '{}')",
        "CREATE TABLE elsewhere.pingpong_writers (slot INT PRIMARY KEY, writer UUID NOT NULL UNIQUE,"
        " seen TIMESTAMPTZ NOT NULL DEFAULT now())",
        "CREATE TABLE elsewhere.pingpong_parked (writer UUID PRIMARY KEY, ticket BIGINT NOT NULL, counted BIGINT NOT NULL,"
        " seen TIMESTAMPTZ NOT NULL)",
        "INSERT INTO elsewhere.counters (count) VALUES (0)",
        f'GRANT ALL ON ALL TABLES IN SCHEMA elsewhere TO "{role}"',
    ]
