"""The camera's move over a still picture: where it looks in each frame, without a jump or a stair."""

import hashlib
import math
from dataclasses import dataclass

Box = tuple[float, float, float, float]  #: left, top, right, bottom in pixels of the picture, not rounded

#: How far the view may leave the centre, as a share of the picture. A card keeps its text inside the middle 84 %,
#: and the closest view at the end of its way still leaves a margin around that.
_REACH = 0.013

#: Start and end of the view's size as shares of the picture. Never quite the whole picture: a frame that needs
#: no resampling is sharper than its neighbours, and the eye sees that as a jump.
_WIDE, _CLOSE = 0.985, 0.915


@dataclass(frozen=True, slots=True)
class Move:
    """A slow push in or pull out, drifting to one side."""

    start: float  #: size of the view as a share of the picture
    end: float
    drift: tuple[float, float]  #: direction of travel, each -1 to 1

    def view(self, time: float, width: int, height: int) -> Box:
        """What the camera sees at `time` (0 to 1) of a picture of `width` x `height` pixels."""
        eased = _ease(min(1.0, max(0.0, time)))
        size = self.start * (self.end / self.start) ** eased  # a steady zoom multiplies, it does not add
        # The free way shrinks with the zoom, and smoothly, or the drift would show a kink.
        spare = _REACH * (1 - size) / (1 - _CLOSE)
        shift = 2 * eased - 1
        x, y = 0.5 + spare * self.drift[0] * shift, 0.5 + spare * self.drift[1] * shift
        half = size / 2
        return ((x - half) * width, (y - half) * height, (x + half) * width, (y + half) * height)


def choose(text: str, seed: int) -> Move:
    """The move for a scene; the same text and seed always give the same."""
    digest = hashlib.blake2b(f"{seed}:".encode() + text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    angle = int.from_bytes(digest[:4], "big") / 2**32 * math.tau
    sizes = (_WIDE, _CLOSE) if digest[4] % 3 else (_CLOSE, _WIDE)  # most moves go in: they draw the eye
    return Move(*sizes, (math.cos(angle), 0.6 * math.sin(angle)))


def _ease(time: float) -> float:
    """Slow start and end, but never at rest for long: half a straight line, half a cosine."""
    return 0.35 * time + 0.65 * (1 - math.cos(math.pi * time)) / 2
