"""What can go wrong in this room.

::

    DevicesError
    ├── SiteFileError          a site file that cannot be used; ``problems`` names each field
    ├── RegistryError          an import that would break what stands; permanent
    ├── CursorError            a page cursor that no list has given out; permanent
    ├── CredentialError        a credential name that cannot be used; permanent
    └── DatabaseError
        ├── DatabaseUnavailable    retryable: not reachable, locked, full, timed out
        ├── DatabaseRefused        permanent: the statement or the data is wrong
        └── DatabaseUrlError       permanent: the URL names nothing we can use
"""


class DevicesError(Exception):
    """Root of the errors of this room."""


class SiteFileError(DevicesError):
    """A site file that cannot be used; one entry of ``problems`` per wrong field."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        """``source`` is the file's path as given."""
        super().__init__(f"{source}: " + "; ".join(problems))
        self.source = source
        self.problems = problems


class RegistryError(DevicesError):
    """An import that would break what stands, for example drop a station that is locked."""


class CursorError(DevicesError):
    """A page cursor that no list has given out."""


class CredentialError(DevicesError):
    """A credential name that is taken, unknown or not well-formed."""


class DatabaseError(DevicesError):
    """Root of the SQL errors; which subclass says whether trying again can help."""


class DatabaseUnavailable(DatabaseError):  # noqa: N818 - reads as what it says: try again later
    """The database cannot be reached, is locked, full, or did not answer in time: retry."""


class DatabaseRefused(DatabaseError):  # noqa: N818 - the opposite of Unavailable
    """The database refused the statement or the data: trying again gives the same."""


class DatabaseUrlError(DatabaseError):
    """A database URL we cannot use; the message shows it without its password."""
