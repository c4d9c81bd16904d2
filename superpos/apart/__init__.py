"""Methods that take networks apart, what comes out of them, and its scores. Chapters 16 and 17."""

from superpos.apart.decomposition import SHARED, Decomposition
from superpos.apart.files import load, save
from superpos.apart.submissions import Submission, submissions, submit
from superpos.apart.table import Table, table
from superpos.apart.trivial import TRIVIAL, truth

__all__ = [
    "SHARED",
    "TRIVIAL",
    "Decomposition",
    "Submission",
    "Table",
    "load",
    "save",
    "submissions",
    "submit",
    "table",
    "truth",
]
