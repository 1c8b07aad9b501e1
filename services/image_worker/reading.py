"""A sentence made safe to set: cleaned, cut into clusters, and into the pieces that a line may not break.

Line breaking follows the habits of each script (the useful part of UAX 14), not one rule for all.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_LONGEST = 6_000  #: characters that are looked at; no card can show more
_MARKS, _STACKED = 4, 2  #: combining marks kept on one letter, and of those above or below; more grow out of the line
_LARGEST = 16  #: characters in one cluster; a family of four with skin tones has 11
_JOINERS = {"\u200c", "\u200d"}
_SPACES = {"\u00a0": "\u00a0", "\u202f": "\u00a0", "\u2007": "\u00a0"}

#: Never at the start of a line (kinsoku), never at its end, and what a word may be broken after.
_NOT_FIRST = set(
    "、。，．・：；？！゛゜ヽヾゝゞ々ー）］｝〕〉》」』】〙〗〟’”｠»ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ‐–〜～‼⁇⁈⁉…‥%％)]},.!?:;、。"
)
_NOT_LAST = set("（［｛〔〈《「『【〘〖〝‘“｟«([{¿¡$£¥＄￥#")
_BREAK_AFTER = set("-‐–—/\u200b|")
_SYLLABLE_STARTS = set("เแโใไເແໂໃໄ")  #: Thai and Lao vowels written before their consonant
_FOLLOWS = set("ำຳ")  #: Thai and Lao vowels that belong to the letter before


@dataclass(frozen=True, slots=True)
class Piece:
    """Clusters that stay on one line. A space after it is dropped at the end of a line."""

    clusters: tuple[str, ...]
    space: bool


def clean(text: str) -> str:
    """One line of visible text: no control, bidirectional override, surrogate or private character."""
    kept: list[str] = []
    marks = stacked = 0
    for char in unicodedata.normalize("NFC", text[: 4 * _LONGEST]):
        kind = unicodedata.category(char)
        mark = kind in {"Mn", "Me"}
        marks = marks + 1 if mark else 0
        stacked = stacked + (unicodedata.combining(char) >= 200 or kind == "Me") if mark else 0
        if mark and (marks > _MARKS or stacked > _STACKED):
            continue
        char = _visible(char, kind)
        if char and not (char == " " and kept[-1:] in ([], [" "])):
            kept.append(char)
        if len(kept) == _LONGEST:
            kept.append("…")
            break
    return "".join(kept).strip(" \u200c\u200d")


def _visible(char: str, kind: str) -> str:
    if char in _SPACES or char in _JOINERS:
        return _SPACES.get(char, char)
    if kind.startswith("Z") or char in "\t\n\v\f\r\x85":
        return " "
    pictorial = 0x1F000 <= ord(char) <= 0x1FBFF or 0xE0020 <= ord(char) <= 0xE007F
    return "" if kind.startswith("C") and not pictorial else char


def clusters(text: str) -> Iterator[str]:
    """What a reader sees as one character: letter and marks, conjunct, emoji sequence, flag."""
    current = ""
    for char in text:
        if current and _joins(current, char):
            current += char
        else:
            if current:
                yield current
            current = char
    if current:
        yield current


def _joins(current: str, char: str) -> bool:
    last = current[-1]
    if len(current) >= _LARGEST:
        return False
    if unicodedata.category(char).startswith("M") or char in _JOINERS or char in _FOLLOWS:
        return current != " "
    if 0x1F3FB <= ord(char) <= 0x1F3FF or 0xE0020 <= ord(char) <= 0xE007F:
        return ord(last) > 0x2000
    if last == "\u200d":
        return True
    if unicodedata.combining(last) == 9 and unicodedata.category(char) == "Lo":  # virama: a conjunct goes on
        return True
    return len(current) == 1 and _flag(last) and _flag(char)


def _flag(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF


def pieces(text: str) -> list[Piece]:
    """The text in order, cut wherever a line may break."""
    found: list[Piece] = []
    current: list[str] = []
    for cluster in clusters(text):
        if cluster == " ":
            if current:
                found.append(Piece(tuple(current), space=True))
            current = []
            continue
        if current and _may_break(current, cluster):
            found.append(Piece(tuple(current), space=False))
            current = []
        current.append(cluster)
    if current:
        found.append(Piece(tuple(current), space=False))
    return found


def _may_break(current: list[str], cluster: str) -> bool:
    before, after = current[-1][0], cluster[0]
    if after in _NOT_FIRST or before in _NOT_LAST or "\u00a0" in (before, after):
        return False
    if before in _BREAK_AFTER:
        return len(current) > 2 and after.isalpha()
    return is_ideographic(before) or is_ideographic(after) or after in _SYLLABLE_STARTS


def is_ideographic(char: str) -> bool:
    """Whether lines may break on either side of it: Chinese and Japanese, and pictographs."""
    code = ord(char)
    return (
        0x2E80 <= code <= 0x312F
        or 0x31A0 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0xFE30 <= code <= 0xFE4F
        or 0xFF01 <= code <= 0xFF9F
        or 0x1F300 <= code <= 0x1FAFF
        or 0x20000 <= code <= 0x3FFFF
    )
