"""A PDF in compressed streams: the same objects under the same numbers, in a much smaller file."""

import io

from packing import TOGETHER, packed, text_of
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, Destination, DictionaryObject, NameObject, NumberObject


def book(elements: int) -> PdfWriter:
    """Two pages, a bookmark, a stream, and many small objects, of which one is gone."""
    writer = PdfWriter()
    for _ in range(2):
        writer.add_blank_page(width=100, height=200)
    writer.add_outline_item(title="One (ü)", page_number=1)
    writer.metadata = {"/Title": "A book"}
    picture = DecodedStreamObject()
    picture.set_data(b"endobj \x00\xff stream")
    kids = ArrayObject([writer._add_object(picture)])
    for k in range(elements):
        tag = DictionaryObject({NameObject("/S"): NameObject("/P"), NameObject("/K"): NumberObject(k)})
        kids.append(writer._add_object(tag))
    writer.root_object[NameObject("/Tags")] = kids
    writer._objects[-1] = None
    return writer


def test_every_object_is_the_same():
    writer = book(2 * TOGETHER + 3)
    plain, small = io.BytesIO(), packed(writer)
    writer.write(plain)
    before, after = PdfReader(plain, strict=True), PdfReader(io.BytesIO(small), strict=True)
    assert len(small) < 0.2 * len(plain.getvalue())
    assert small.count(b"/ObjStm") == 3
    numbers = range(1, len(writer._objects))
    assert [text_of(after.get_object(k) or NumberObject(0)) for k in numbers] == [
        text_of(before.get_object(k) or NumberObject(0)) for k in numbers
    ]
    assert after.metadata == before.metadata == {"/Title": "A book"}
    assert [page.mediabox for page in after.pages] == [page.mediabox for page in before.pages]
    [mark] = after.outline
    assert isinstance(mark, Destination)
    assert after.get_destination_page_number(mark) == 1
    assert mark.title == "One (ü)"
    tags = after.root_object["/Tags"]
    assert isinstance(tags, ArrayObject)
    assert tags[0].get_data() == b"endobj \x00\xff stream"


def test_one_book_gives_one_file():
    assert packed(book(5)) == packed(book(5))
