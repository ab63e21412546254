"""Whether the database takes each user, and lets it do what it must: the historian write, the API and whoever looks read.

One connection each, in a transaction that reads: nothing is changed, and no role is taken.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from dotbus.runtime.settings.settings import load_settings
from historian.api.settings import ApiSettings
from historian.database import keeping_alive
from historian.migrations import head, known_revisions, read_revision
from historian.settings import API_PREFIX, PREFIX, HistorianSettings
from historian.tables import SCHEMA
from historian.upkeep.findings import Finding, Level, ok, wrong
from historian.upkeep.rights import RUN_SCRIPT, examine_reader, examine_roles
from launcher.places import PREFIX as BY_HAND
from launcher.places import PlacesSettings
from launcher.setup.broker_users import HISTORIAN
from launcher.setup.online.answers import Answer, Inquiry, Whom
from launcher.setup.provision import API, OPERATOR, READER

STATEMENT_WITHIN_S: Final = 10
OWNER, WRITER, READERS = "dotbus_owner", "dotbus_writer", "dotbus_reader"
_MAY_LOOK: Final = sa.text("SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = :schema")
_HINTS: Final = (
    ("password authentication failed", f"see that the password is the one that the database has for this user; {RUN_SCRIPT}"),
    ("does not exist", RUN_SCRIPT),
    ("no password supplied", "name the file of its password"),
    ("server certificate for", "see that the address names the host as its certificate does"),
    ("certificate verify failed", "see that sslrootcert is the database's authority"),
    ("no pg_hba.conf entry", "see that the database lets this machine in, with TLS (sslmode) where it asks for it"),
    ("permission denied", RUN_SCRIPT),
)
"""What to do, by the first of these words that is among the database's."""
_REACH: Final = "see that the database runs, and that host and port are right"


@dataclass(frozen=True)
class Roles:
    """As whom the historian acts, and who reads; None where nobody is named."""

    owner: str | None = None
    writer: str | None = None
    reader: str | None = None


@dataclass(frozen=True)
class User:
    """A user of the database.

    Attributes:
        variables: the beginning of those that say so, or the file of the password.
        url: where the database is, and as whom; without a password that a file has.
        password: from that file.
        schema: where the tables are.
        roles: of the historian, who writes; None for who reads alone.
    """

    variables: str
    url: str
    password: str | None
    schema: str = SCHEMA
    roles: Roles | None = None

    @property
    def address(self) -> sa.URL:
        """As SQLAlchemy has it."""
        url = sa.make_url(self.url).set(drivername="postgresql+psycopg2")
        return url.set(password=self.password) if self.password else url

    @property
    def asked(self) -> str:
        """Who is asked as whom."""
        url = self.address
        return f"database {url.database} at {url.host or 'this machine'}:{url.port or 5432} as {url.username or 'nobody'}"


def ask_database(named: Sequence[str], credentials: Path | None) -> Iterator[Inquiry]:
    """A question for each user of the database whose variables, or whose password, are here.

    Args:
        named: the prefixes of the services that have variables here.
        credentials: the folder of `dotbus certificates init`, whose users are asked in place of those that variables name;
            DOTBUS_DATABASE_URL says where the database is.

    Raises:
        ConfigurationRefused: with every mistake in the variables, and of each password that cannot be read.
    """
    for user in _users_of(credentials) if credentials else _users(named):
        yield Inquiry(Whom.DATABASE, user.asked, partial(_ask, user))


def ask(user: User) -> Answer:
    """Ask the database as one user."""
    try:
        with _connected(user) as connection:
            findings = list(_examine(connection, user))
    except sa.exc.SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        hint = next((hint for words, hint in _HINTS if words in cause), _REACH)
        return _answer(user, f"{cause}; {hint}", good=False)
    wrongs = [f"{one.says}: {one.do}" for one in findings if one.level is Level.WRONG]
    told = wrongs or [f"{one.says}{f' ({one.do})' if one.do else ''}" for one in findings]
    return _answer(user, "; ".join(["is let in", *told]), good=not wrongs)


def _ask(user: User) -> list[Answer]:
    return [ask(user)]


def _users(named: Sequence[str]) -> Iterator[User]:
    if PREFIX in named:
        told = load_settings(HistorianSettings, PREFIX)
        url, roles = told.database_url.get_secret_value(), Roles(told.owner_role, told.writer_role, told.reader_role)
        yield User(PREFIX, url, told.read_database_password(), told.database_schema, roles)
    if API_PREFIX in named:
        api = load_settings(ApiSettings, API_PREFIX)
        yield User(API_PREFIX, api.database_url.get_secret_value(), api.read_database_password(), api.database_schema)
    if any(name.upper().startswith(f"{BY_HAND}DATABASE_") for name in os.environ):
        places = load_settings(PlacesSettings, BY_HAND).places
        yield User(BY_HAND, places.database_url, places.database_password)


def _users_of(credentials: Path) -> Iterator[User]:
    """Those whose passwords `dotbus certificates init` made, with the roles of deploy/postgres/10-roles.sh."""
    writer = Roles(OWNER, WRITER, READERS)
    for name, home, roles in ((HISTORIAN, HISTORIAN, writer), (API, API, None), (READER, OPERATOR, None)):
        file = credentials / home / "database.password"
        if file.is_file():
            url = load_settings(PlacesSettings, BY_HAND, database_password_file=file).places
            address = sa.make_url(url.database_url).set(username=name, password=None)
            yield User(str(file), address.render_as_string(hide_password=False), url.database_password, roles=roles)


@contextmanager
def _connected(user: User) -> Iterator[sa.Connection]:
    options = f"-c statement_timeout={STATEMENT_WITHIN_S}s -c default_transaction_read_only=on -c search_path={user.schema}"
    arguments = {**keeping_alive("dotbus check"), "options": options}
    engine = sa.create_engine(user.address, poolclass=sa.NullPool, connect_args=arguments)
    with engine.connect() as connection:
        yield connection


def _examine(connection: sa.Connection, user: User) -> Iterator[Finding]:
    told = user.roles
    may_look = connection.scalar(_MAY_LOOK, {"schema": user.schema})
    revision = read_revision(connection) if may_look else None
    if may_look is None or (may_look and revision is None):
        yield ok("tables", "there are no tables yet: the historian makes them when it starts")
    elif revision is not None:
        yield from _tables(revision)
    if told:
        yield from examine_roles(connection, user.schema, told.owner, told.writer, told.reader)
    else:
        who: str = connection.scalar(sa.text("SELECT current_user"))
        yield from examine_reader(connection, user.schema, who)


def _tables(revision: str) -> Iterator[Finding]:
    """Whether this version's historian may go on with the tables."""
    ours = head()
    if revision not in known_revisions():
        later = f"the tables are of revision {revision}, of a later version of dotbus (this one's is {ours})"
        yield wrong("tables", later, "run that version, or restore a back-up of before")
    elif revision != ours:
        yield ok("tables", f"the tables are of revision {revision}: the historian brings them to {ours} when it starts")


def _answer(user: User, said: str, *, good: bool) -> Answer:
    return Answer(whom=Whom.DATABASE, asked=user.asked, good=good, said=said)
