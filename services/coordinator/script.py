"""A pasted script, split into sentences."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

import sentencex

#: Language whose rules fit a script that its letters alone tell; the rest is split as English.
_LANGUAGE_OF_LETTERS = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "HANGUL": "ko",
    "ARABIC": "ar",
    "HEBREW": "he",
    "CYRILLIC": "ru",
    "GREEK": "el",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "ARMENIAN": "hy",
    "THAI": "th",
}

#: The splitter's time grows with the square of the open quotes before it, so it is shown this much at a time.
_WINDOW = 4_000

_LIST_LINE = re.compile(r"(?:[-*•‣◦·]|\(?\d{1,3}[.)、])\s+\S")
#: A quote that nobody closes stays with what it opens, and not with the sentence before.
_OPENING_AT_END = re.compile(r"(?:^|(?<=\s))[“‘«「『\"']\s*$")
_LIST_NUMBER = re.compile(r"\(?\d{1,3}[.)]")
#: No sentence ends behind these, even where the name looks like the start of one: Dr. Who.
_TITLE_AT_END = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Mx|Prof|Capt|Lt|Col|Gen|Sgt|Rev|Fr|Mme|Mlle)\.$")
#: After a quote: who said it, which is no sentence of its own.
_SPEECH_TAGS = (
    # — Идёшь? — спросил он.
    re.compile(r"[—–―-]\s*(?=[^\W\d_])(?P<letter>.)"),
    # 「行くの？」と彼女。 But とても, ところが and their like begin a sentence.
    re.compile(
        r"(?:と(?!ころ|ても|にかく|もかく|もあれ|うとう|りあえず|きどき|きに|たん|なり|っさに|はいえ|つぜん)"
        r"|って|などと|なんて)"
    ),
    # “你去吗？”她问。
    re.compile(r"[^\s，。！？：；“”「」『』,.!?]{0,8}?[说說问問道喊叫答嚷]"),
)
_CLOSING_QUOTES = frozenset("”’」』»\"'")
_CJK_CLOSING_QUOTES = frozenset("”’」』")


def split_script(script: str) -> list[str]:
    """Sentences in order. A blank line or a list item always ends one; another line break is a space."""
    sentences: list[str] = []
    for paragraph in _paragraphs(script):
        sentences.extend(_joined(_segments(paragraph)))
    return sentences


def _paragraphs(script: str) -> list[str]:
    paragraphs: list[list[str]] = [[]]
    for line in script.splitlines():
        stripped = line.strip()
        if paragraphs[-1] and (not stripped or _LIST_LINE.match(stripped)):
            paragraphs.append([])
        if stripped:
            paragraphs[-1].append(stripped)
    return [_join_lines(lines) for lines in paragraphs if lines]


def _join_lines(lines: list[str]) -> str:
    pieces = [lines[0]]
    for before, line in pairwise(lines):
        # Chinese and Japanese are written without spaces, so a wrapped line does not bring one.
        wide = unicodedata.east_asian_width(before[-1]) in "WF" and unicodedata.east_asian_width(line[0]) in "WF"
        pieces.append(line if wide else f" {line}")
    return "".join(pieces)


def _segments(paragraph: str) -> Iterator[str]:
    """The splitter's parts, with the space after them; together they are the paragraph."""
    language = _language(paragraph)
    start, size = 0, _WINDOW
    while start + size < len(paragraph):
        taken = 0
        # What ends in the first half is split as if all that follows had been seen.
        for part in sentencex.segment(language, paragraph[start : start + size]):
            if taken + len(part) > size // 2:
                break
            taken += len(part)
            yield part
        start += taken
        size = _WINDOW if taken else size * 2
    yield from sentencex.segment(language, paragraph[start:])


def _joined(parts: Iterable[str]) -> list[str]:
    """Put together what the splitter took apart: lone marks, list numbers, titles, speech tags."""
    groups: list[list[str]] = []
    only_number = True
    opened = ""
    for part in parts:
        part, opened = opened + part, ""
        if found := _OPENING_AT_END.search(part):
            part, opened = part[: found.start()], found.group()
        text = part.strip()
        if not text:
            continue
        before = groups[-1][-1] if groups else ""
        lone = not any(character.isalnum() for character in text)
        if groups and (lone or only_number or _goes_on(before.strip(), text)):
            groups[-1].append(part)
        else:
            groups.append([part])
        only_number = len(groups[-1]) == 1 and _LIST_NUMBER.fullmatch(text) is not None
    if opened:
        groups = [*groups[:-1], [*groups[-1], opened]] if groups else [[opened]]
    return ["".join(group).strip() for group in groups]


def _goes_on(before: str, text: str) -> bool:
    """Whether `text` belongs to the sentence before it."""
    dash, japanese, chinese = _SPEECH_TAGS
    if _TITLE_AT_END.search(before[-8:]):
        return True
    if found := dash.match(text):
        return found["letter"].islower()
    if before[-1:] in _CJK_CLOSING_QUOTES and (japanese.match(text) or chinese.match(text)):
        return True
    return before[-1:] in _CLOSING_QUOTES and text[:1].islower()


def _language(text: str) -> str:
    """The language whose letters make up most of the text, as far as letters tell."""
    counts: dict[str, int] = {}
    for character in text[:2000]:
        if character.isalpha():
            letters = unicodedata.name(character, "").split(" ")[0]
            language = _LANGUAGE_OF_LETTERS.get(letters, "en")
            counts[language] = counts.get(language, 0) + 1
    if counts.get("ja"):
        counts["ja"] += counts.pop("zh", 0)  # Japanese text is half Chinese characters.
    return max(counts, key=lambda language: counts[language], default="en")
