"""What can go wrong, in two kinds: the user's (one line that says what to do) and ours (a traceback).

Apart from everything else, so that any module may raise without an import loop.
"""


class TracerError(Exception):
    """A mistake or state that the user can mend; the message is the one line that says how."""

    exit_code = 2


class BadInputError(TracerError):
    """A file that cannot be read as what it claims to be."""

    exit_code = 3


TRIED = "; tried "
"""What stands before the reasons of every format, which fill a screen."""


class UnknownFormatError(BadInputError):
    """No collector recognised the file."""


class NoSuchRunError(TracerError):
    """No run, or more than one, answers to this address."""


class BusyDatabaseError(TracerError):
    """Another process holds the database."""

    exit_code = 4


class DatabaseError(TracerError):
    """The database file is not ours, is damaged, or comes from a newer version."""

    exit_code = 3


class DoesNotFitError(TracerError):
    """A model or a text needs more memory than there is, or a text is longer than the model can read."""


class MissingExtraError(TracerError):
    """A model, a server or an optional package is missing."""

    exit_code = 5

    @classmethod
    def for_extra(cls, extra: str, purpose: str) -> "MissingExtraError":
        """The one wording of "install this extra"."""
        return cls(f"{purpose} needs an extra: pip install 'blametrace[{extra}]'")


class UnknownTextError(MissingExtraError):
    """A model does not know the words that it is asked about."""
