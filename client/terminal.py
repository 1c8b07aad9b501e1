"""Where the commands print: in colour to a person, and plainly to a file or another program."""

import io
import sys
import termios
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

GAP = 3  #: characters between two columns


class Column(NamedTuple):
    """Of a table. A wide one takes what room there is."""

    heading: str
    right: bool = False
    wide: bool = False


def clean(text: str) -> str:
    """Text of somebody else, in one line, that cannot take a terminal over or turn its neighbours around."""
    return "".join(_harmless(character) for character in " ".join(text.split()))


def _harmless(character: str) -> str:
    # Left-to-right marks and overrides would reach beyond the text they stand in.
    if unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"):
        return ""
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in ("Cc", "Cs") else character


def shorten(text: str, characters: int) -> str:
    """Clean, and not longer than this."""
    whole = clean(text)
    return whole if len(whole) <= characters else whole[: characters - 1].rstrip() + "…"


def counted(number: int, thing: str) -> str:
    """Such as `1 image`, `8 images`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


class Terminal:
    """Standard output and error of one command."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A story has letters that the terminal's encoding may lack.
                stream.reconfigure(errors="replace")
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(highlight=False, markup=False, emoji=False, stderr=True)

    @property
    def is_drawn(self) -> bool:
        """A person looks on: lines may be drawn anew."""
        return sys.stdout.isatty() and not self.out.is_dumb_terminal

    @property
    def can_ask(self) -> bool:
        """That person can be asked."""
        return self.is_drawn and sys.stdin.isatty()

    def echo(self, on: bool) -> None:
        """Whether typed keys are shown. Those typed unseen are forgotten."""
        if not self.can_ask:
            return
        settings = termios.tcgetattr(sys.stdin)
        settings[3] = settings[3] | termios.ECHO if on else settings[3] & ~termios.ECHO
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, settings)

    def say(self, text: str, style: str = "") -> None:
        """A line of ours; what comes from somebody else in it was cleaned."""
        self.out.print(Text(text, style), soft_wrap=True)

    def draw(self, shown: RenderableType) -> None:
        self.out.print(shown)

    def complain(self, text: str) -> None:
        self.err.print(Text.assemble(("videogen: ", "bold red"), clean(text)), soft_wrap=True)

    def ask(self, question: str) -> bool:
        """Yes, unless somebody says no. Nobody there counts as yes."""
        if not self.can_ask:
            return True
        try:
            answer = self.out.input(Text(f"{question} [Y/n] "))
        except EOFError:  # Ctrl-D
            self.say("")
            return False
        return not answer.strip().lower().startswith("n")

    def rows(self, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> None:
        """A table for a person; tabs and whole values, without headings, for a program."""
        if not sys.stdout.isatty():
            for row in rows:
                print("\t".join(str(cell) for cell in row))
            return
        widths = [max([cell_len(c.heading), *(_width(row[i]) for row in rows)]) for i, c in enumerate(columns)]
        # What may be cut gives way to what must be read whole.
        fixed = sum(width for column, width in zip(columns, widths, strict=True) if not column.wide)
        room = max(12, self.out.width - fixed - GAP * (len(columns) - 1))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column, width in zip(columns, widths, strict=True):
            justify: Literal["left", "right"] = "right" if column.right else "left"
            fitting = min(width, room) if column.wide else width
            table.add_column(column.heading, justify=justify, no_wrap=True, overflow="ellipsis", width=fitting)
        for row in rows:
            table.add_row(*row)
        self.draw(table)


def _width(cell: str | Text) -> int:
    return cell_len(str(cell))
