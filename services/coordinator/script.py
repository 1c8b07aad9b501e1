"""A pasted script, split into sentences."""

import unicodedata
from collections.abc import Iterable

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


def split_script(script: str) -> list[str]:
    """Sentences in order. Blank lines always end one; a single line break within one is a space."""
    sentences: list[str] = []
    for paragraph in _paragraphs(script):
        found = (part.strip() for part in sentencex.segment(_language(paragraph), paragraph))
        sentences.extend(part for part in _join_closing_quotes(part for part in found if part))
    return sentences


def _paragraphs(script: str) -> list[str]:
    paragraphs: list[list[str]] = [[]]
    for line in script.splitlines():
        if line.strip():
            paragraphs[-1].append(line.strip())
        elif paragraphs[-1]:
            paragraphs.append([])
    return [_join_lines(lines) for lines in paragraphs if lines]


def _join_lines(lines: list[str]) -> str:
    joined = lines[0]
    for line in lines[1:]:
        # Chinese and Japanese are written without spaces, so a wrapped line does not bring one.
        wide = unicodedata.east_asian_width(joined[-1]) in "WF" and unicodedata.east_asian_width(line[0]) in "WF"
        joined += line if wide else f" {line}"
    return joined


def _join_closing_quotes(parts: Iterable[str]) -> list[str]:
    """A part without a letter or digit, such as a lone quote or dash, belongs to the one before it."""
    joined: list[str] = []
    for part in parts:
        if joined and not any(character.isalnum() for character in part):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


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
