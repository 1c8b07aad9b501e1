"""Curated colours: a style or the hour of the day chooses a few, and the story's hash one of them."""

import re
from dataclasses import dataclass

Colour = tuple[float, float, float]  #: sRGB, 0 to 1


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one card."""

    name: str
    sky: tuple[Colour, Colour, Colour]  #: top, middle, horizon
    disc: Colour  #: sun, moon, lit windows
    far: Colour  #: the layer that is farthest away
    near: Colour  #: the layer in front
    ground: Colour  #: what the text stands on
    ink: Colour  #: the text
    accent: Colour  #: number plate and small marks

    @property
    def dark(self) -> bool:
        """Light text on a dark ground."""
        return luminance(self.ground) < luminance(self.ink)


def _colour(code: str) -> Colour:
    return (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255)


def _row(name: str, codes: str) -> Palette:
    top, middle, horizon, *rest = (_colour(code) for code in codes.split())
    return Palette(name, (top, middle, horizon), *rest)


#: name: sky (top, middle, horizon), disc, far, near, ground, ink, accent
PALETTES = {
    name: _row(name, codes)
    for name, codes in {
        "noir": "14161b 2f343d 7d838c ebe8df 4d535d 0d0f13 08090b f4f2ec d8483c",
        "silver": "1b1b1b 4a4a4a a8a8a6 f2f2f0 6b6b6b 111111 0a0a0a f5f5f3 e8e8e4",
        "ember": "2b1b3d 8c2f4b f2a65a ffe3b0 a0485c 1d1022 150b19 fff3e0 ffb454",
        "dusk": "14244a 4a639a f2b9a2 ffead2 6572a6 0e1a36 0a1326 f3f1ea f2a07b",
        "midnight": "060a1c 13204c 38588f f1efe2 27406f 060919 04060f eef2ff 8fb4ff",
        "neon": "0d0221 3d0b63 ff4588 ffd166 5b1690 0c031c 090114 fdf4ff 22e6ff",
        "lagoon": "06262d 11636a 9ad8bf fff2c9 2f807c 05222a 03161a eefaf5 ffc857",
        "moss": "16302a 4b7d66 dfe0ab fff3c4 6f9772 0c1d16 08140e f4f4e4 e8b04a",
        "canyon": "4a2433 c2613f f8d193 fff0cf c97a50 2e1518 200e10 fff1df ffcf6b",
        "aurora": "04101f 0e4257 46bd9b dcfff2 175064 040d18 03090f ecfff7 7cf5c4",
        "slate": "2c353d 71808a cfd3cd f5f2e8 8a979e 1c2328 14191d f5f5f0 ffb31a",
        "sepia": "3a2a1a 8f6d46 ead0a2 fcf0d4 a98a5d 261a0e 1b1109 fbf0d9 dc9f55",
        "crimson": "120508 561019 cf4234 ffdcbd 6e1c22 0f0405 0a0204 fdeeea ff6b57",
        "cobalt": "0f4590 4f97d6 e2f1f5 fffdee 6ca6d2 0d2d55 0a203e f3f8ff ffd166",
        "poster": "2f6f70 9cc3a4 f6e4b4 e4572e 6d9f8d 1d3a3e 142a2e fdf1d8 f28f3b",
        "plum": "241634 6b3f74 f0b7a4 ffe9d6 7c5584 180f24 110a1a fbf1f4 f3a6b5",
        "watercolour": "9fc0cf d3e2de f7efe0 fff4d6 b4cdd0 5f8b94 fbf8f1 22323a c2553a",
        "pastel": "bcd6f2 f1d3e4 fdebd2 fffaf0 cfbbe2 8ea9d2 fdf8f4 352f52 e58aa6",
        "paper": "dcdcd8 ececE8 f7f7f4 ffffff bdbdb8 4b4b4a f8f8f5 17181a 2b2b2b",
        "blossom": "f3c9d0 fae3de fdf5ec e2555c e9b6c0 8b9fa6 fdf9f4 38282f c63a4c",
        "sand": "e3d2b8 f1e3cd fbf4e8 d9704f dcc7ab ad8260 fbf7f1 2b251f b34d2b",
        "mint": "a9d5cb d6ece0 fbf6e4 f4a259 b3d5c4 4f8b84 f8fbf6 16302f dd6b3a",
    }.items()
}

_STYLES = {
    "noir|film noir|detective|hardboiled": "noir",
    "black and white|black & white|black-and-white|monochrome|b&w|bw|greyscale|grayscale|schwarz": "silver noir",
    "watercolou?r|aquarell|acuarela|gouache|wash": "watercolour blossom mint",
    "pastel|kawaii|soft|dreamy|cute|children|kids|storybook": "pastel blossom mint",
    "neon|cyberpunk|synthwave|vaporwave|retrowave": "neon",
    "futuristic|sci-?fi|space|tech\\w*": "aurora midnight neon",
    "sepia|daguerreotype|archiv\\w*|old photo\\w*": "sepia",
    "vintage|retro|70s|60s|mid-?century|poster|travel": "poster sepia canyon",
    "documentar\\w*|realis\\w*|photoreal\\w*|news|reportage|corporate|cinematic|film": "slate dusk cobalt",
    "warm|golden|autumn|fall|cosy|cozy|sunset": "ember canyon plum",
    "cold|cool|winter|icy?|arctic|nordic": "cobalt midnight slate",
    "horror|thriller|gothic|dark|blood": "crimson noir",
    "nature|wildlife|organic|botanical|green": "moss lagoon mint",
    "fantasy|magic\\w*|fairy|ghibli|anime|manga": "plum aurora dusk",
    "sketch|pencil|ink|line art|drawing|charcoal|storyboard": "paper",
    "minimal\\w*|clean|flat|modern|bauhaus|scandinavian": "sand mint paper",
    "western|desert|mexic\\w*|safari": "canyon ember sepia",
    "ocean|marine|underwater|tropical": "lagoon cobalt aurora",
    "romantic|romance|wedding|love|japan\\w*|ukiyo-?e": "blossom plum sand",
}

_HOURS = {
    "night\\w*|midnight|moon\\w*|stars?|nuit|nacht|noche|notte|ночь\\w*|夜|밤|ليل\\w*|रात": "midnight dusk aurora",
    "sunset|dusk|evening|sundown|soir|abend|tarde|вечер\\w*|夕": "ember dusk plum",
    "dawn|sunrise|morning|aube|morgen|mañana|утр\\w*|朝|晨": "dusk plum canyon",
    "fire|flames?|burn\\w*|war|battle|blood": "crimson ember",
    "snow\\w*|winter|ice|frozen|neige|schnee|nieve|снег\\w*|雪": "cobalt slate midnight",
    "desert|dunes?|sands?|canyon|sahara|wüste": "canyon ember sepia",
    "forest|woods?|trees?|jungle|meadow|wald|forêt|bosque|лес\\w*|森|林": "moss lagoon slate",
    "sea|ocean|waves?|beach|harbou?r|meer|mer|mar|мор\\w*|海": "lagoon cobalt dusk",
}

#: Palettes that go together; a style that says nothing about colour gets one of these families for the whole story.
_FAMILIES = ("dusk ember plum", "lagoon aurora cobalt", "moss lagoon slate", "slate dusk cobalt", "poster canyon ember")


def choose(style: str, text: str, story: int, scene: int) -> Palette:
    """The palette of a scene. `story` and `scene` are hashes: of what the scenes share, and of this one."""
    named = _matches(_STYLES, style)
    hour = _matches(_HOURS, text)
    if named:
        both = [name for name in named if name in hour]
        names = both or named
    else:
        names = hour or (_FAMILIES[story % len(_FAMILIES)].split())
    return PALETTES[names[scene % len(names)]]


def _matches(table: dict[str, str], words: str) -> list[str]:
    """Names of the first row that the words match, so the more telling rows stand first; empty where none does."""
    return next((names.split() for pattern, names in table.items() if find(pattern, words)), [])


def find(pattern: str, words: str) -> re.Match[str] | None:
    """The first place where a whole word matches; scripts without spaces match inside a run of letters."""
    whole = "|".join(p if re.match(r"[\u3040-\uffff]", p) else rf"\b(?:{p})\b" for p in pattern.split("|"))
    return re.search(whole, words, re.IGNORECASE)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """From `a` (share 0) to `b` (share 1)."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def luminance(colour: Colour) -> float:
    """Relative luminance as WCAG 2 defines it, 0 to 1."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: Colour, b: Colour) -> float:
    """WCAG contrast ratio, 1 to 21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)
