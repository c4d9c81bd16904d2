"""A PDF whose small objects stand in compressed streams.

Half of a book's PDF are tags for screen readers: forty thousand objects, short and much alike. pypdf writes each by
itself, as text; here they keep their numbers and are packed together, five hundred to a stream (ISO 32000-1, 7.5.7),
and so is the table that says where each object stands (7.5.8).
"""

import io
import struct
import zlib
from itertools import accumulate

from pypdf import PdfWriter
from pypdf.generic import PdfObject, StreamObject

TOGETHER = 500  # objects of a stream: a reader unpacks all of them to see one
FREE, ALONE, AMONG = 0, 1, 2  # kinds of entries in the table
ENTRY = ">BIH"  # kind; place in the file, or number of the stream; or place in the stream
Entries = dict[int, tuple[int, int, int]]


def packed(writer: PdfWriter) -> bytes:
    """The file that the writer would write, in compressed streams."""
    out, entries = io.BytesIO(), Entries()
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    small: list[tuple[int, bytes]] = []
    for number, value in enumerate(writer._objects, 1):  # pypdf has no public way to all of them
        if isinstance(value, StreamObject):
            entries[number] = put(out, number, text_of(value))
        elif value is not None:
            small.append((number, text_of(value)))
    last = len(writer._objects)
    for some in (small[k : k + TOGETHER] for k in range(0, len(small), TOGETHER)):
        last += 1
        entries[last] = put(out, last, together(some))
        entries |= {number: (AMONG, last, k) for k, (number, _) in enumerate(some)}
    last += 1
    entries[last] = ALONE, out.tell(), 0
    table = b"".join(struct.pack(ENTRY, *entries.get(number, (FREE, 0, 0))) for number in range(last + 1))
    root, info = writer.root_object, writer._info
    kept = {b"/Root": root, b"/Info": info}
    ends = b" ".join(b"%b %b" % (name, text_of(one.indirect_reference)) for name, one in kept.items())
    _, start, _ = put(out, last, stream(b"/Type /XRef /Size %d /W [1 4 2] %b" % (last + 1, ends), table))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def text_of(value: PdfObject) -> bytes:
    """An object as it stands in a file."""
    out = io.BytesIO()
    value.write_to_stream(out)
    return out.getvalue()


def put(out: io.BytesIO, number: int, text: bytes) -> tuple[int, int, int]:
    """Write one object, and return its entry in the table."""
    place = out.tell()
    out.write(b"%d 0 obj\n%b\nendobj\n" % (number, text))
    return ALONE, place, 0


def together(some: list[tuple[int, bytes]]) -> bytes:
    """A stream of objects: first the number and the place of each, then the objects."""
    starts = accumulate((len(text) + 1 for _, text in some), initial=0)
    head = b" ".join(b"%d %d" % (number, start) for (number, _), start in zip(some, starts, strict=False))
    body = b"\n".join(text for _, text in some)
    return stream(b"/Type /ObjStm /N %d /First %d" % (len(some), len(head) + 1), head + b"\n" + body)


def stream(head: bytes, data: bytes) -> bytes:
    """A compressed stream with these entries in its dictionary."""
    data = zlib.compress(data, 9)
    return b"<< %b /Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream" % (head, len(data), data)
