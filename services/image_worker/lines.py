"""Puts measured pieces on lines."""

from dataclasses import dataclass

from services.image_worker.fonts import Face


@dataclass(frozen=True, slots=True)
class Measured:
    """A piece with its faces chosen and its width known."""

    clusters: tuple[str, ...]
    faces: tuple[Face, ...]
    width: float  #: at the reference size, without the space
    space: float  #: width of the space after it, or 0


def joined(pieces: list[Measured], dots: Measured) -> list[Measured]:
    """The last piece with an ellipsis set right behind it, as a list of one."""
    if not pieces:
        return [dots]
    last = pieces[-1]
    return [Measured(last.clusters + dots.clusters, last.faces + dots.faces, last.width + dots.width, 0.0)]


def wrap(pieces: list[Measured], em: float) -> list[list[Measured]]:
    """Lines filled one after the other; a piece wider than the line stands alone."""
    lines: list[list[Measured]] = []
    used = 0.0
    for piece in pieces:
        if lines and used + piece.width <= em:
            lines[-1].append(piece)
            used += piece.width + piece.space
        else:
            lines.append([piece])
            used = piece.width + piece.space
    return lines


def balanced(pieces: list[Measured], em: float) -> float:
    """The narrowest line that needs no more lines: it evens them out and leaves no word alone at the end."""
    wanted = len(wrap(pieces, em))
    narrow, wide = max((p.width for p in pieces), default=0.0), em
    for _ in range(12 if wanted > 1 else 0):
        middle = (narrow + wide) / 2
        if len(wrap(pieces, middle)) <= wanted:
            wide = middle
        else:
            narrow = middle
    return wide


def flat(pieces: list[Measured]) -> list[str]:
    """Clusters and spaces in reading order."""
    letters: list[str] = []
    for piece in pieces:
        letters += piece.clusters
        if piece.space:
            letters.append(" ")
    return letters
