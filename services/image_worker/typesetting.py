"""Sets a sentence into a box: the largest size that fits, lines of even length, any script.

Widths are measured once per piece at a reference size and scaled; only the chosen setting is drawn.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from PIL import Image, ImageDraw

from services.image_worker import bidi, fonts, reading
from services.image_worker.fonts import Face, Voice
from services.image_worker.lines import Measured, balanced, flat, joined, wrap

_REFERENCE = 100  #: pixels per em that pieces are measured at
_SCALE = 2  #: text is drawn this much larger and reduced, so that letters sit between pixels where they belong
_UNKNOWN = "·"  #: stands for a character that no face has
_TALL = (  #: scripts with marks far above or below the line
    *((0x0590, 0x08FF), (0x0900, 0x109F), (0x1780, 0x17FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFC)),
)


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one line that share a face and a direction, in reading order."""

    text: str
    face: Face
    rtl: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """A sentence broken into lines at one size. Pixels; `lines` hold runs from left to right."""

    lines: tuple[tuple[Run, ...], ...]
    size: int
    leading: float  #: from one baseline to the next
    weight: int
    rtl: bool
    elided: bool  #: an ellipsis stands for text that did not fit

    @property
    def height(self) -> float:
        """From the top of the first line's letters to below the last line's descenders."""
        return (len(self.lines) - 1) * self.leading + self.ascent + 0.3 * self.leading

    @property
    def ascent(self) -> float:
        """From the top of the first line to its baseline."""
        return 0.68 * self.leading

    def width(self) -> float:
        """Of the longest line."""
        size = self.size * _SCALE
        each = (sum(_length(run, size, self.weight, self.size) for run in line) for line in self.lines)
        return max(each, default=0.0) / _SCALE


class Text:
    """One sentence, measured; can be fitted into boxes of any size."""

    def __init__(self, text: str, voice: Voice, weight: int) -> None:
        self.text = reading.clean(text)
        self.rtl = bidi.is_rtl(self.text)
        self._weight = weight
        self._chain = fonts.chain(voice, self.text)
        self._space = fonts.load(self._chain[0], _REFERENCE, weight, _REFERENCE).getlength(" ")
        self._pieces = [self._measure(piece) for piece in reading.pieces(self.text)]
        self._cut: dict[int, list[Measured]] = {}  #: pieces that were too long for a line, cluster by cluster
        tall = sum(any(first <= ord(c) <= last for first, last in _TALL) for c in self.text)
        broad = sum(map(reading.is_ideographic, self.text))
        self._leading = 1.62 if tall > 2 else 1.42 if broad > 2 else 1.2

    def fit(self, width: float, height: float, largest: int, smallest: int, comfortable: int = 0) -> Setting:
        """The largest setting inside the box, from `largest` down to `smallest` pixels per em.

        Words are kept whole down to `comfortable`; below it a word longer than the line is broken. Where even
        `smallest` does not fit, the end of the text gives way to an ellipsis.
        """
        low, high = max(1, smallest), max(1, largest, smallest)
        while low < high:
            size = (low + high + 1) // 2
            if self._fits(size, width, height, comfortable):
                low = size
            else:
                high = size - 1
        # Scaled widths are near the real ones, but small letters are made a little wider: the last word is the ruler's.
        for tighter in (1.0, 0.985, 0.97, 0.95):
            setting = self._set(low, width * tighter, height)
            if setting.width() <= width:
                break
            low = max(low - 1, smallest, 1)
        return setting

    def _fits(self, size: int, width: float, height: float, comfortable: int) -> bool:
        em = self._em(width, size)
        if size >= comfortable and any(piece.width > em for piece in self._pieces):
            return False
        return self._room(len(wrap(self._breakable(em), em)), size) <= height

    def _em(self, width: float, size: int) -> float:
        """A line's width in the units of the reference size, as letters drawn for `size` fill it."""
        sample = self.text[:60]
        face, weight = self._chain[0], self._weight
        drawn = fonts.load(face, _REFERENCE, weight, size).getlength(sample)
        usual = fonts.load(face, _REFERENCE, weight, _REFERENCE).getlength(sample)
        return width / size * _REFERENCE * (min(1.0, usual / drawn) if drawn else 1.0)

    def _room(self, lines: int, size: int) -> float:
        return ((lines - 1) + 0.98) * self._line(size)

    def _line(self, size: int) -> float:
        # Small text reads better with more air between its lines; a headline needs less.
        return size * (self._leading + (0.14 if size < 30 else 0.0))

    def _set(self, size: int, width: float, height: float) -> Setting:
        em = self._em(width, size)
        pieces = self._breakable(em)
        count = len(wrap(pieces, em))
        elided = self._room(count, size) > height
        if elided:
            pieces = self._elide(pieces, em, max(1, int(height / self._line(size) + 0.02)))
        lines = wrap(pieces, balanced(pieces, em))
        row = bidi.levels("".join(flat(pieces)), self.rtl)
        runs, at = [], 0
        for line in lines:
            letters = flat(line)
            end = at + sum(map(len, letters))
            runs.append(tuple(_runs(line, row[at:end], self._chain[0])))
            at = end
        return Setting(tuple(runs), size, self._line(size), self._weight, self.rtl, elided)

    def _elide(self, pieces: list[Measured], em: float, lines: int) -> list[Measured]:
        keep, drop = 0, len(pieces)
        dots = self._measure(reading.Piece(("…",), space=False))
        while drop - keep > 1:
            middle = (keep + drop) // 2
            fits = len(wrap([*pieces[: middle - 1], *joined(pieces[:middle], dots)], em)) <= lines
            keep, drop = (middle, drop) if fits else (keep, middle)
        return [*pieces[: max(0, keep - 1)], *joined(pieces[:keep], dots)]

    def _breakable(self, em: float) -> list[Measured]:
        """The pieces, those longer than a line cut between clusters."""
        if all(piece.width <= em for piece in self._pieces):
            return self._pieces
        found: list[Measured] = []
        for piece in self._pieces:
            if piece.width <= em:
                found.append(piece)
                continue
            if id(piece) not in self._cut:
                each = [self._measure(reading.Piece((cluster,), space=False)) for cluster in piece.clusters]
                self._cut[id(piece)] = [*each[:-1], replace(each[-1], space=piece.space)]
            found += self._cut[id(piece)]
        return found

    def _measure(self, piece: reading.Piece) -> Measured:
        pairs = [self._face(cluster) for cluster in piece.clusters]
        letters, faces = tuple(c for c, _ in pairs), tuple(f for _, f in pairs)
        bare = Measured(letters, faces, 0.0, 0.0)
        runs = _runs([bare], bidi.levels("".join(letters), self.rtl), self._chain[0])
        width = sum(_length(run, _REFERENCE, self._weight, _REFERENCE) for run in runs)
        return Measured(letters, faces, width, self._space if piece.space else 0.0)

    def _face(self, cluster: str) -> tuple[str, Face]:
        face = _pick(cluster, self._chain)
        if face is None:
            face = _pick(cluster[0], self._chain)
            cluster = cluster[0] if face else _UNKNOWN
        face = face or self._chain[0]
        # A face that does not know a selector would leave a gap in its place.
        known = fonts.coverage(face)
        return "".join(c for c in cluster if not 0xFE00 <= ord(c) <= 0xFE0F or ord(c) in known), face


@lru_cache(maxsize=8192)
def _pick(cluster: str, chain: tuple[Face, ...]) -> Face | None:
    return fonts.pick(cluster, chain)


def _runs(line: list[Measured], row: list[int], spaces: Face) -> list[Run]:
    """One line in the order it is drawn: cut where direction or face changes.

    Spaces are all of the face `spaces`: those of an emoji face are as wide as a picture.
    """
    text, faces = "", list[Face]()
    for piece in line:
        for cluster, face in zip(piece.clusters, piece.faces, strict=True):
            text += cluster
            faces += [face] * len(cluster)
        if piece.space:
            text += " "
            faces.append(spaces)
    while text.endswith(" "):
        text, faces = text[:-1], faces[:-1]
    found: list[Run] = []
    for start, end, rtl in bidi.visual(row[: len(text)]):
        cuts = [start, *(i for i in range(start + 1, end) if faces[i] != faces[i - 1]), end]
        spans = list(pairwise(cuts))
        found += [Run(text[a:b], faces[a], rtl) for a, b in (spans[::-1] if rtl else spans)]
    return found


@lru_cache(maxsize=8192)
def _length(run: Run, size: int, weight: int, optical: int) -> float:
    font = fonts.load(run.face, size, weight, optical)
    if fonts.shapes(font):
        return font.getlength(run.text, direction=_direction(run))
    return font.getlength(run.text)


def _direction(run: Run) -> str:
    return "rtl" if run.rtl else "ltr"


def draw(setting: Setting, width: float, height: float, left: float, top: float, room: float) -> Image.Image:
    """The text as a mask (mode L) of `width` x `height` pixels.

    Lines start at `left`, or end at `left + room` for a text that runs from right to left.
    """
    sheet = Image.new("L", (round(width) * _SCALE, round(height) * _SCALE))
    pen = ImageDraw.Draw(sheet)
    size = setting.size * _SCALE
    for number, line in enumerate(setting.lines):
        lengths = [_length(run, size, setting.weight, setting.size) for run in line]
        x = (left + room) * _SCALE - sum(lengths) if setting.rtl else left * _SCALE
        y = (top + setting.ascent + number * setting.leading) * _SCALE
        for run, length in zip(line, lengths, strict=True):
            font = fonts.load(run.face, size, setting.weight, setting.size)
            if fonts.shapes(font):
                pen.text((x, y), run.text, fill=255, font=font, anchor="ls", direction=_direction(run))
            else:
                pen.text((x, y), run.text[::-1] if run.rtl else run.text, fill=255, font=font, anchor="ls")
            x += length
    return sheet.reduce(_SCALE)


def label(text: str, voice: Voice, weight: int, size: int, width: float) -> Setting:
    """One line at one size, cut with an ellipsis where it is longer than `width`."""
    return Text(text, voice, weight).fit(width, 1.9 * size, largest=size, smallest=size)
