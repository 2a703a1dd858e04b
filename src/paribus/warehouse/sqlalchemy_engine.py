"""Any database with a SQLAlchemy dialect: PostgreSQL, MySQL and MariaDB, SQLite, and the cloud warehouses.

Statements are sent exactly as written, without parameter processing (a `%` or `:name` inside a literal stays itself),
in read-only transactions where the database has them, in UTC.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from paribus.errors import EngineError, InputError, MissingExtra, TransientError, did_you_mean
from paribus.warehouse.engine import ColumnKind, Table

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import URL

# SQLAlchemy's dialect name to sqlglot's.
DIALECTS = {
    "postgresql": "postgres",
    "redshift": "redshift",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "databricks": "databricks",
    "trino": "trino",
    "awsathena": "athena",
    "mssql": "tsql",
    "druid": "druid",
    "clickhousedb": "clickhouse",
    "hive": "spark",
    "sparksql": "spark",
}
# The driver for a bare `postgresql://` or `mysql://`: the one that the extra installs.
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"} | dict.fromkeys(
    ("mysql", "mariadb"), "mysql+pymysql"
)
PACKAGES = {
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
    "redshift": "sqlalchemy-redshift redshift-connector",
    "databricks": "databricks-sqlalchemy",
    "trino": "trino[sqlalchemy]",
    "awsathena": "pyathena[sqlalchemy]",
    "mssql": "pymssql",
    "druid": "pydruid[sqlalchemy]",
    "clickhousedb": "clickhouse-connect",
}
SECRET_WORDS = ("pass", "pwd", "secret", "token", "key", "credential")

_TRANSIENT_STATES = ("08", "40001", "40P01", "53", "55P03", "57P", "58")  # SQLSTATE classes and codes (PostgreSQL)
_TRANSIENT_CODES = {1040, 1205, 1213, 2002, 2003, 2006, 2013}  # MySQL and MariaDB
_TIMEOUT_CODES = {1969, 3024}


class SQLAlchemyEngine:
    """Answers SELECT statements on one connection to a database.

    Args:
        url: a SQLAlchemy URL; a bare `postgresql://` or `mysql://` uses psycopg or PyMySQL.
        base_dir: where a relative path of `sqlite:///file.db` starts.
        timeout_seconds: the longest a statement may run (PostgreSQL, MySQL, MariaDB, SQLite).

    Raises:
        InputError: the URL cannot be read, its database is not supported, or the SQLite file does not exist.
        MissingExtra, EngineError: the driver is not installed; the database refused the connection.
    """

    def __init__(self, url: str, *, base_dir: str | Path = ".", timeout_seconds: float | None = None) -> None:
        import sqlalchemy as sa

        self.notes: list[str] = []
        self._timeout = timeout_seconds
        self._deadline = math.inf
        self._kinds: dict[str, dict[str, ColumnKind]] = {}
        parsed = _parse(url)
        self._secrets = _secrets(parsed)
        name = parsed.get_backend_name()
        if name not in DIALECTS:
            raise InputError(
                f"Paribus writes no SQL for the database {name!r}",
                where="connection",
                rule=f"databases: {', '.join(sorted(DIALECTS))}; duckdb and chdb",
                fix=did_you_mean(name, [*DIALECTS, "duckdb", "chdb"]),
            )
        self.dialect = DIALECTS[name]
        if name == "sqlite":
            parsed = _read_only_sqlite(parsed, Path(base_dir))
        try:
            self._engine = sa.create_engine(parsed, poolclass=sa.pool.StaticPool if name == "sqlite" else None)
        except (ImportError, sa.exc.NoSuchModuleError) as error:
            raise _missing_driver(parsed, error) from None
        try:
            self._connection = self._engine.connect().execution_options(no_parameters=True)
            self._inspector = sa.inspect(self._connection)
            self._prepare()
        except sa.exc.SQLAlchemyError as error:
            self._engine.dispose()
            self._fail(error)
        except (TypeError, ValueError) as error:  # the driver's answer to an option of the URL that it does not know
            raise InputError(
                f"the {name} driver refuses the connection's options: {self._redact(str(error))}",
                where="connection",
                rule="what follows ? in the URL are options of the driver",
                fix="remove the option",
            ) from None

    def relation_sql(self, relation: str) -> str:
        """The table's name, quoted where the database needs it."""
        schema, table = self._find(relation)
        preparer = self._engine.dialect.identifier_preparer
        return f"{preparer.quote_schema(schema)}.{preparer.quote(table)}" if schema else preparer.quote(table)

    def columns(self, relation: str) -> dict[str, ColumnKind]:
        """The table's columns in order with their kinds."""
        import sqlalchemy as sa

        if relation not in self._kinds:
            schema, table = self._find(relation)
            try:
                found = self._inspector.get_columns(table, schema=schema)
            except sa.exc.SQLAlchemyError as error:
                self._fail(error)
            kinds = {column["name"]: kind_of(column["type"]) for column in found}
            if self.dialect == "sqlite":
                # Any word is a type there, and SQLAlchemy takes unknown ones for numbers.
                declared = self._connection.exec_driver_sql(f"PRAGMA table_info({self.relation_sql(relation)})").all()
                kinds |= {row[1]: _sqlite_kind(row[2]) for row in declared if kinds[row[1]] in {"number", "other"}}
            self._kinds[relation] = kinds
        return dict(self._kinds[relation])

    def query(self, sql: str) -> Table:
        """Runs one SELECT in a read-only transaction.

        Raises:
            EngineError: the database refused the statement or ran longer than `timeout_seconds`.
            TransientError: a lost connection, a deadlock, a full server: trying again may help.
        """
        import sqlalchemy as sa

        self._deadline = time.monotonic() + self._timeout if self._timeout else math.inf
        try:
            result = self._connection.exec_driver_sql(sql)
            names = tuple(name.lower() for name in list(result.keys()))
            return Table(names, [tuple(row) for row in result])
        except sa.exc.SQLAlchemyError as error:
            self._fail(error)
        finally:
            self._deadline = math.inf

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        """Tables by name: a database's rows have no address, their moments are hashed by the analysis."""
        del full
        return {relation: {"kind": "table", "table": relation} for relation in relations}

    def join_note(self, relation: str, column: str) -> str | None:
        """A sentence when a join on this column has no index to use, on engines that are slow without one.

        SQLite took over ten minutes for two million events without an index on the unit's column, 8 s with one.
        """
        if self.dialect not in {"sqlite", "mysql"}:
            return None
        schema, table = self._find(relation)
        indexes = self._inspector.get_indexes(table, schema=schema)
        leading = [index["column_names"][0] for index in indexes if index["column_names"]]
        leading += self._inspector.get_pk_constraint(table, schema=schema)["constrained_columns"][:1]
        if column.lower() in {str(name).lower() for name in leading}:
            return None
        name = table.replace(".", "_")
        return (
            f"{relation} has no index on {column}: joins may take minutes; "
            f"CREATE INDEX {name}_{column} ON {self.relation_sql(relation)} ({column})"
        )

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def _prepare(self) -> None:
        """The session: UTC, literals that mean what they say, read-only, and one snapshot for all statements."""
        from paribus.warehouse.sql.dialects import hooks

        statements = list(hooks(self.dialect).session)
        limit = self._timeout
        if self.dialect == "postgres":
            statements += [
                "SET standard_conforming_strings = on",
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            ]
            if limit:
                statements.append(f"SET statement_timeout = {round(limit * 1000)}")
        elif self.dialect == "mysql":
            version = str(self._connection.exec_driver_sql("SELECT VERSION()").scalar())
            statements += [
                "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "SET SESSION TRANSACTION READ ONLY",
            ]
            if "mariadb" in version.lower():
                statements.append("SET SESSION join_cache_level = 8")  # hash joins: 8 s instead of minutes
                if limit:
                    statements.append(f"SET SESSION max_statement_time = {limit:g}")
            elif limit:
                statements.append(f"SET SESSION max_execution_time = {round(limit * 1000)}")
        elif self.dialect == "sqlite":
            driver: Any = self._connection.connection.driver_connection
            driver.create_function("floor", 1, _floor, deterministic=True)  # SQLAlchemy's own fails on NULL
            if limit:
                driver.set_progress_handler(lambda: time.monotonic() > self._deadline, 100_000)
        for statement in statements:
            self._connection.exec_driver_sql(statement)
        self._connection.commit()  # the settings hold from the next transaction on

    def _find(self, relation: str) -> tuple[str | None, str]:
        """Schema and table as the database spells them: exact, else the only one that differs by case."""
        import sqlalchemy as sa

        schema, _, table = relation.rpartition(".")
        try:
            for candidate_schema, candidate in ((schema or None, table), (None, relation)):
                known = self._names(candidate_schema)
                if candidate in known:
                    return candidate_schema, candidate
                folded = [name for name in known if name.lower() == candidate.lower()]
                if len(folded) == 1:
                    return candidate_schema, folded[0]
            suggestions = [f"{schema}.{name}" if schema else name for name in self._names(schema or None)]
        except sa.exc.SQLAlchemyError as error:
            self._fail(error)
        raise InputError(
            f"the database has no table {relation!r}",
            where=relation,
            rule="a relation is a table or a view, or schema.table",
            fix=did_you_mean(relation, suggestions),
        )

    def _names(self, schema: str | None) -> list[str]:
        if schema is not None and self.dialect != "sqlite":
            known = self._inspector.get_schema_names()
            if schema not in known:
                return []
        return [
            *self._inspector.get_table_names(schema=schema),
            *self._inspector.get_view_names(schema=schema),
        ]

    def _fail(self, error: Exception) -> NoReturn:
        """Raises the database's error in our words, without SQL text, parameters or secrets."""
        import sqlalchemy as sa

        connection = getattr(self, "_connection", None)
        if connection is not None and not connection.closed:
            try:
                connection.rollback()
            except sa.exc.SQLAlchemyError:
                connection.invalidate()
        original = getattr(error, "orig", None) or error
        state = str(getattr(original, "sqlstate", None) or "")
        code = original.args[0] if original.args and isinstance(original.args[0], int) else None
        said = str(original.args[1]) if code is not None and len(original.args) > 1 else str(original)
        message = self._redact(" ".join(said.split()))[:500]
        if state == "57014" or code in _TIMEOUT_CODES or (self.dialect == "sqlite" and "interrupted" in message):
            raise EngineError(
                f"the statement ran longer than {self._timeout:g} s" if self._timeout else message,
                fix="raise the time limit, or add an index on the unit's column",
            ) from None
        transient = (
            state.startswith(_TRANSIENT_STATES)
            or code in _TRANSIENT_CODES
            or getattr(error, "connection_invalidated", False)
            or (self.dialect == "sqlite" and "locked" in message)
        )
        kind = TransientError if transient else EngineError
        raise kind(f"{self._engine.dialect.name}: {message}") from None

    def _redact(self, message: str) -> str:
        for secret in self._secrets:
            message = message.replace(secret, "***")
        return message


def _parse(url: str) -> URL:
    import sqlalchemy as sa

    scheme, separator, rest = url.partition("://")
    try:
        return sa.make_url(DRIVERS.get(scheme, scheme) + separator + rest)
    except (sa.exc.ArgumentError, ValueError):
        raise InputError(
            "the connection is not a URL that can be read",  # not shown: it may hold a password
            where="connection",
            rule="dialect://user:password@host:port/database, with special characters of the password percent-encoded",
            fix="for example postgresql://analyst@localhost/shop",
        ) from None


def _secrets(url: URL) -> list[str]:
    """The password and every query value whose name says that it is secret, longest first."""
    found = [url.password] if url.password else []
    for name, value in url.query.items():
        if any(word in name.lower() for word in SECRET_WORDS):
            found += [value] if isinstance(value, str) else list(value)
    return sorted({str(secret) for secret in found if secret}, key=len, reverse=True)


def _read_only_sqlite(url: URL, base: Path) -> URL:
    if url.database in {None, "", ":memory:"} or str(url.database).startswith("file:"):
        return url
    path = base / Path(str(url.database)).expanduser()
    if not path.is_file():
        names = [p.name for p in path.parent.glob("*") if p.suffix in {".db", ".sqlite", ".sqlite3"}]
        raise InputError(
            f"there is no SQLite file {str(url.database)!r}",
            where="connection",
            rule=f"a relative path starts from {base.resolve()}",
            fix=did_you_mean(path.name, names) if names else "check the path",
        )
    # `file:` with mode=ro: SQLite would otherwise create a missing file, and could write
    return url.set(database=f"file:{path.resolve().as_posix()}", query={"mode": "ro", "uri": "true"})


def _missing_driver(url: URL, error: Exception) -> Exception:
    name = url.get_backend_name()
    if name == "postgresql":
        return MissingExtra("psycopg", "postgres", "a PostgreSQL connection")
    if name in {"mysql", "mariadb"}:
        return MissingExtra("pymysql", "mysql", "a MySQL or MariaDB connection")
    reason = getattr(error, "name", None) or url.drivername
    return EngineError(
        f"a {name} connection needs a driver that is not installed ({reason})",
        where="connection",
        fix=f"pip install {PACKAGES.get(name, name)}",
    )


def kind_of(column_type: sa.types.TypeEngine[Any]) -> ColumnKind:
    """The kind of a column by its SQLAlchemy type.

    >>> import sqlalchemy as sa
    >>> kind_of(sa.Numeric(10, 2)), kind_of(sa.DateTime(timezone=True)), kind_of(sa.String(3))
    ('number', 'timestamp_tz', 'text')
    """
    import sqlalchemy.types as t

    if isinstance(column_type, t.DateTime):
        zoned = getattr(column_type, "timezone", False) or "TZ" in type(column_type).__name__.upper()
        return "timestamp_tz" if zoned else "timestamp"
    for kind, types in (
        ("boolean", (t.Boolean,)),
        ("integer", (t.Integer,)),
        ("number", (t.Numeric, t.Float)),
        ("json", (t.JSON,)),
        ("date", (t.Date,)),
        ("text", (t.String, t.Uuid, t.Enum)),
    ):
        if isinstance(column_type, types):
            return kind
    return _KINDS_BY_NAME.get(type(column_type).__name__.upper(), "other")


def _sqlite_kind(declared: str) -> ColumnKind:
    """The kind of a type that only SQLite accepts, by its rules of affinity (sqlite.org/datatype3, section 3.1)."""
    name = declared.upper()
    for words, kind in (
        (("INT",), "integer"),
        (("CHAR", "CLOB", "TEXT", "STRING"), "text"),
        (("REAL", "FLOA", "DOUB", "DEC", "NUM"), "number"),
        (("BOOL",), "boolean"),
    ):
        if any(word in name for word in words):
            return kind
    return "other"


def _floor(value: object) -> float | int | None:
    """SQLite's own floor: NULL and text that is no number give NULL, and infinities are themselves."""
    if isinstance(value, float):
        return float(math.floor(value)) if math.isfinite(value) else value
    return value if isinstance(value, int) else None


# Types of dialects outside SQLAlchemy that do not derive from its generic ones.
_KINDS_BY_NAME: dict[str, ColumnKind] = {
    "JSONB": "json",
    "VARIANT": "json",
    "SUPER": "json",
    "TIMESTAMP_TZ": "timestamp_tz",
    "TIMESTAMP_LTZ": "timestamp_tz",
    "TIMESTAMP_NTZ": "timestamp",
    "TIMESTAMP": "timestamp",
    "DATETIME": "timestamp",
    "DOUBLE": "number",
    "FLOAT64": "number",
    "DECFLOAT": "number",
    "INT64": "integer",
    "BIT": "boolean",
    "ENUM": "text",
    "UNIQUEIDENTIFIER": "text",
    "CITEXT": "text",
}
