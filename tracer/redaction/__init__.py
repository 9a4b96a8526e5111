"""Taking out of a log what must not be kept, before anything of it touches the disk.

`packs` say what is looked for, `Redactor` finds it in texts, in JSON and behind the usual encodings, and puts a
pseudonym in its place: the same for the same value under the same key, so that reuse can still be followed.
"""

from tracer.redaction.options import Redaction, make_redactor
from tracer.redaction.redactor import Redactor

__all__ = ["Redaction", "Redactor", "make_redactor"]
