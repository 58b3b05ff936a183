"""Pages of a PDF: pixels, text, and files that are none."""

from pathlib import Path

import pytest

from edgesr.data.images import read_image
from edgesr.data.make_pairs import PairOptions
from edgesr.data.pairs import pairs_from
from edgesr.data.pdf import open_pdf, read_page, write_pages
from edgesr.errors import InputError, StoreError, UsageError


def _pdf(pages: list[tuple[float, float, str]], trailer: str = "") -> bytes:
    """A small PDF; pages are (width, height, text)."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, (width, height, text) in enumerate(pages):
        stream = f"BT /F 24 Tf 40 {height - 60} Td ({text}) Tj ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] "
            f"/Contents {5 + 2 * index} 0 R /Resources << /Font << /F 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    size = f"/Size {len(objects) + 1} /Root 1 0 R {trailer}"
    return out + f"trailer\n<< {size} >>\nstartxref\n{start}\n%%EOF\n".encode()


@pytest.fixture
def lecture(tmp_path: Path) -> Path:
    path = tmp_path / "lecture.pdf"
    path.write_bytes(
        _pdf([(960, 540, "Vector spaces"), (595, 842, "A portrait page"), (400, 300, "")])
    )
    return path


def test_pages_fit_and_carry_their_text(lecture: Path) -> None:
    with open_pdf(lecture) as document:
        pages = [read_page(document, index) for index in range(3)]
    assert [image.shape for image, _ in pages] == [(720, 1280, 3), (720, 509, 3), (720, 960, 3)]
    assert [text for _, text in pages] == ["Vector spaces", "A portrait page", ""]
    assert pages[0][0].min() < 80
    assert pages[0][0].max() == 255


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_written_pages(lecture: Path, tmp_path: Path, scale: int) -> None:
    assert write_pages(lecture, tmp_path / "out", PairOptions(scale)) == 3
    pairs = pairs_from(tmp_path / "out")
    assert [pair.name for pair in pairs] == ["page-0001", "page-0002", "page-0003"]
    assert pairs[0].text == "Vector spaces"
    for pair in pairs:
        hr, lr = read_image(pair.hr), read_image(pair.lr)
        assert hr.shape[:2] == (scale * lr.shape[0], scale * lr.shape[1])
        assert hr.shape[0] % 2 == hr.shape[1] % 2 == 0


def test_count(lecture: Path, tmp_path: Path) -> None:
    assert write_pages(lecture, tmp_path / "one", PairOptions(2), 1) == 1
    assert write_pages(lecture, tmp_path / "all", PairOptions(2), 99) == 3
    with pytest.raises(UsageError):
        write_pages(lecture, tmp_path / "none", PairOptions(2), 0)


_LOCKED = (
    f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'11' * 32}> /U <{'22' * 32}> >> "
    f"/ID [<{'33' * 16}> <{'33' * 16}>]"
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no PDF with pages"),
        (b"hello", "no PDF with pages"),
        (_pdf([(960, 540, "x")])[:40], "no PDF with pages"),
        (_pdf([(960, 540, "x")], _LOCKED), "encrypted"),
        (_pdf([]), "no PDF with pages"),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        write_pages(path, tmp_path / "out", PairOptions(2))
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_ribbon_is_no_slide(tmp_path: Path) -> None:
    path = tmp_path / "ribbon.pdf"
    path.write_bytes(_pdf([(10, 9000, "")]))
    with pytest.raises(InputError, match=r"ribbon\.pdf: page 1 is 10 x 9000"):
        write_pages(path, tmp_path / "out", PairOptions(2))


def test_missing_file_and_full_place(lecture: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write_pages(tmp_path / "none.pdf", tmp_path / "out", PairOptions(2))
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        write_pages(lecture, tmp_path / "file" / "out", PairOptions(2))
