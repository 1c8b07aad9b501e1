"""The faces that text is set in, and which of them knows a character.

The faces come from three PyPI packages (all under the SIL Open Font Licence). Where a package or a script is
missing, faces of the system are asked, and at the very end the one inside Pillow: a card is always made.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont, features

#: Joiners, variation selectors and tags: they steer shaping and need no glyph of their own.
INVISIBLE = frozenset([0x200C, 0x200D, *range(0xFE00, 0xFE10), *range(0xE0020, 0xE0080)])

_SHAPES = features.check_feature("raqm")  #: without libfribidi Pillow cannot shape Arabic or Devanagari


class Voice(StrEnum):
    """The kind of face that a style asks for; only scripts that the face knows follow it."""

    SANS = "sans"
    SERIF = "serif"
    MONO = "mono"


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one font file. An empty path is the face inside Pillow."""

    path: str
    index: int = 0  #: inside a collection (.ttc)


_LATIN = {
    Voice.SANS: "inter/Inter[",
    Voice.SERIF: "sourceserif4/SourceSerif4[",
    Voice.MONO: "jetbrainsmono/JetBrainsMono[",
}
_CJK_INDEX = {"ja": 0, "ko": 1, "zh-hans": 2, "zh-hant": 3}
_SYSTEM_FOLDERS = ("/usr/share/fonts", "/Library/Fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
_SYSTEM_FIRST = ("NotoSans-Regular", "DejaVuSans.ttf", "Arial.ttf", "NotoSansCJK-Regular", "DroidSansFallback")


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _files(name: str) -> list[Path]:
    folder = _package(name)
    return sorted(p for p in folder.rglob("*.tt?") if "Italic" not in p.name) if folder else []


@lru_cache(maxsize=1)
def _packaged() -> tuple[tuple[Path, ...], tuple[Path, ...], tuple[Path, ...]]:
    """Files of the three font packages: Western, other scripts, Chinese-Japanese-Korean."""
    western = tuple(_files("justmytype_western_core"))
    # Emoji also knows the plain digits, so it comes after every face that is made for reading.
    scripts = tuple(sorted(_files("manimgx_fonts"), key=lambda p: ("Emoji" in p.name, "Symbols" in p.name, p.name)))
    return western, scripts, tuple(_files("manimgx_fonts_cjk"))


@lru_cache(maxsize=1)
def _system() -> tuple[Face, ...]:
    """Regular faces of the machine, the broad ones first; asked only for what the packages lack."""
    paths = [
        p
        for folder in _SYSTEM_FOLDERS
        for p in Path(folder).rglob("*.*")
        if p.suffix.lower() in {".ttf", ".ttc", ".otf"}
    ]
    plain = [
        p for p in paths if not any(word in p.name for word in ("Bold", "Italic", "Oblique", "Thin", "Black", "Color"))
    ]
    rank = {name: place for place, name in enumerate(_SYSTEM_FIRST)}
    plain.sort(key=lambda p: (min((rank[n] for n in rank if p.name.startswith(n)), default=len(rank)), p.name, str(p)))
    return tuple(Face(str(p)) for p in plain)


def _han_language(text: str) -> str:
    """Which forms the shared Chinese characters take; told apart by the letters beside them."""
    if any("\u3040" <= c <= "\u30ff" for c in text):
        return "ja"
    if any("\uac00" <= c <= "\ud7a3" for c in text):
        return "ko"
    han = "".join(c for c in text if "\u4e00" <= c <= "\u9fff")
    simplified = len(han.encode("gb2312", "ignore"))
    return "zh-hant" if len(han.encode("big5", "ignore")) > simplified else "zh-hans"


def chain(voice: Voice, text: str) -> tuple[Face, ...]:
    """Packaged faces in the order in which they are asked for each character of `text`."""
    western, scripts, cjk = _packaged()
    first = [p for p in western if _LATIN[voice] in p.as_posix()]
    rest = [p for p in western if "notosans/" in p.as_posix() or "Symbols2" in p.name or "Math" in p.name]
    index = _CJK_INDEX[_han_language(text)]
    readable = [p for p in scripts if "Emoji" not in p.name]
    emoji = [p for p in scripts if "Emoji" in p.name]
    east = tuple(Face(str(p), index) for p in cjk)
    faces = (*map(Face, map(str, [*first, *readable])), *east, *map(Face, map(str, [*emoji, *rest])))
    return faces or _system()[:1] or (Face(""),)


def pick(cluster: str, faces: tuple[Face, ...]) -> Face | None:
    """The first face that has every visible character of `cluster`; None where no face has."""
    wanted = [ord(c) for c in cluster if ord(c) not in INVISIBLE]
    # A pictograph keeps to the emoji face even where a text face has a plain form of it.
    pictorial = "\ufe0f" in cluster or "\u20e3" in cluster or any(c >= 0x1F000 for c in wanted)
    order = sorted(faces, key=lambda f: "Emoji" not in f.path) if pictorial else faces
    for face in order:
        if _knows(face, wanted):
            return face
    return next((face for face in _system() if _knows(face, wanted)), None)


def _knows(face: Face, wanted: list[int]) -> bool:
    known = coverage(face)
    return all(code in known for code in wanted)


@lru_cache(maxsize=512)
def coverage(face: Face) -> frozenset[int]:
    """Unicode code points that the face has a glyph for; empty where the file cannot be read."""
    if not face.path:
        return frozenset(range(0x20, 0x7F))
    try:
        return frozenset(_code_points(Path(face.path).read_bytes(), face.index))
    except (OSError, struct.error, IndexError):
        return frozenset()


def _code_points(data: bytes, index: int) -> Iterator[int]:
    start = struct.unpack_from(">I", data, 12 + 4 * index)[0] if data[:4] == b"ttcf" else 0
    tables = struct.unpack_from(">H", data, start + 4)[0]
    for record in range(start + 12, start + 12 + 16 * tables, 16):
        tag, _, cmap, _ = struct.unpack_from(">4sIII", data, record)
        if tag == b"cmap":
            break
    else:
        return
    count = struct.unpack_from(">H", data, cmap + 2)[0]
    found = [struct.unpack_from(">HHI", data, cmap + 4 + 8 * i) for i in range(count)]
    for _, _, offset in (entry for entry in found if entry[:2] in {(0, 3), (0, 4), (3, 1), (3, 10)}):
        kind = struct.unpack_from(">H", data, cmap + offset)[0]
        if kind == 4:
            yield from _segments(data, cmap + offset)
        elif kind == 12:
            yield from _groups(data, cmap + offset)


def _segments(data: bytes, at: int) -> Iterator[int]:
    """cmap format 4. A code point inside a segment may still map to glyph 0, so each one is looked up."""
    count = struct.unpack_from(">H", data, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    starts, deltas, offsets = (struct.unpack_from(f">{count}H", data, at + 16 + 2 * count * i) for i in (1, 2, 3))
    table = at + 16 + 6 * count
    for i, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for code in range(first, min(last, 0xFFFE) + 1):
            if offsets[i] == 0:
                glyph = (code + deltas[i]) & 0xFFFF
            else:
                glyph = struct.unpack_from(">H", data, table + 2 * i + offsets[i] + 2 * (code - first))[0]
            if glyph:
                yield code


def _groups(data: bytes, at: int) -> Iterator[int]:
    """cmap format 12."""
    for i in range(struct.unpack_from(">I", data, at + 12)[0]):
        first, last, glyph = struct.unpack_from(">III", data, at + 16 + 12 * i)
        yield from range(first if glyph else first + 1, min(last, sys.maxunicode) + 1)


@lru_cache(maxsize=256)
def load(face: Face, size: int, weight: int, optical: int) -> ImageFont.FreeTypeFont:
    """The face at `size` pixels per em; a variable one at the nearest `weight` (100 to 900) that it has.

    `optical` is the size that letters are designed for: smaller ones are wider and sturdier.
    """
    engine = ImageFont.Layout.RAQM if _SHAPES else ImageFont.Layout.BASIC
    if not face.path:
        built_in = ImageFont.load_default(size)
        assert isinstance(built_in, ImageFont.FreeTypeFont)  # noqa: S101 - for the type checker: we have FreeType
        return built_in
    font = ImageFont.truetype(face.path, size, index=face.index, layout_engine=engine)
    try:
        axes = font.get_variation_axes()
    except OSError:  # not a variable font
        return font
    wanted: dict[bytes, float] = {b"weight": weight, b"optical size": optical}
    places = []
    for axis in axes:
        low, usual, high = axis["minimum"] or 0, axis["default"] or 0, axis["maximum"] or 0
        places.append(float(min(max(wanted.get(_name(axis["name"]), usual), low), high)))
    font.set_variation_by_axes(places)
    return font


def shapes(font: ImageFont.FreeTypeFont) -> bool:
    """Whether the font joins and reorders letters; where it does not, the caller has to reverse what runs leftward."""
    return font.layout_engine == ImageFont.Layout.RAQM


def _name(name: bytes | str | None) -> bytes:
    return (name.encode() if isinstance(name, str) else name or b"").lower()
