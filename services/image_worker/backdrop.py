"""Which landscape a sentence gets: the words decide, and where they are silent the hash does."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.image_worker import details, nature, town
from services.image_worker.easel import Array, Easel
from services.image_worker.palette import Palette, find

Painter = Callable[[Easel], None]

#: The first row that a text matches wins. A few everyday words of other languages are enough to be useful.
_PLACES: dict[str, Painter] = {
    (
        "room|kitchen|bedroom|office|house|home|apartment|hotel|window|door|desk|table|lamp|caf[eé]|"
        "restaurant|studio|library|chambre|zimmer|küche|cuisine|habitación|cocina|комнат\\w*|дом\\w*|"
        "部屋|房间|房間|غرف\\w*|कमर\\w*"
    ): town.room,
    (
        "space|planets?|galax\\w*|rocket|astronaut|orbit|mars|cosmos|universe|spaceship|weltraum|"
        "espace|космос\\w*|宇宙|太空|우주"
    ): nature.space,
    (
        "sea|ocean|waves?|beach|harbou?r|lighthouse|island|ship|boat|sail\\w*|sailor|shore|coast|lake|"
        "river|tide|meer|mer|mar|hafen|playa|мор\\w*|океан\\w*|海|湖|바다|بحر\\w*|البحر|समुद्र"
    ): nature.sea,
    (
        "city|cities|town|street|streets|skyline|downtown|traffic|subway|rooftop|skyscraper\\w*|alley|"
        "tokyo|paris|london|new york|berlin|stadt|ville|ciudad|rue|calle|straße|город\\w*|улиц\\w*|街|"
        "城市|都市|东京|東京|도시|مدين\\w*|المدين\\w*|शहर"
    ): town.city,
    (
        "forest|woods|trees?|jungle|pines?|wolf|wolves|deer|wald|forêt|bosque|лес|лесу|леса|森|林|숲|"
        "غاب\\w*|الغاب\\w*|जंगल"
    ): nature.forest,
    (
        "mountains?|peaks?|summit|cliffs?|alps|glacier|climb\\w*|berge?|montagnes?|montañas?|"
        "гор[аыу]?|горах|山|산|جبل\\w*|जबल|पहाड़\\w*"
    ): nature.mountains,
    (
        "road|highway|drive|drives|driving|car|truck|journey|bus|motorbike|bicycle|route|straße|"
        "carretera|дорог\\w*|道|路|길|طريق"
    ): town.road,
    (
        "desert|dunes?|sands?|camel|sahara|oasis|wüste|désert|desierto|пустын\\w*|砂漠|沙漠|사막|صحرا\\w*|रेगिस्तान"
    ): nature.dunes,
    (
        "sky|clouds?|birds?|flies|flying|airplane|plane|kite|balloon|wings?|himmel|ciel|cielo|неб\\w*|"
        "空|天|하늘|سماء|आकाश"
    ): nature.clouds,
    (
        "field|fields|meadow|grass|farm|valley|village|hills?|garden|sunflower\\w*|horse|feld|champ|"
        "campo|пол[ея]|野|원|حقل"
    ): nature.hills,
}
_SILENT: tuple[Painter, ...] = (nature.hills, nature.mountains, nature.dunes, nature.arcs, nature.clouds, nature.sea)

_RAIN = "rain\\w*|storm\\w*|drizzle|downpour|wet|umbrella|pluie|regen|lluvia|дожд\\w*|雨|비|مطر|बारिश"
_SNOW = "snow\\w*|blizzard|winter|frost\\w*|neige|schnee|nieve|снег\\w*|зим\\w*|雪|눈|ثلج|बर्फ़?"
_NIGHT = "night\\w*|midnight|moon\\w*|stars?|starry|nuit|nacht|noche|notte|ноч\\w*|夜|밤|ليل\\w*|रात"
_PERSON = (
    "she|he|they|man|woman|girl|boy|child|person|mother|father|friends?|detective|traveller|hero|king|queen|stranger|"
    "walks?|walking|runs?|runner|stands?|elle|il|er|sie|mann|frau|hombre|mujer|niña|он|она|女|男|彼|她|他|人|رجل|امرأة"
)
_SAIL = "boats?|sail\\w*|ship|ships|yacht|fisherm[ae]n|voilier|schiff|barco|船|лодк\\w*|корабл\\w*"


@dataclass(frozen=True, slots=True)
class Motif:
    """What is painted, back to front."""

    place: Painter
    additions: tuple[Painter, ...]
    overhead: Painter | None = None  #: on the sky, behind everything else


def choose(words: str, palette: Palette, scene: int) -> Motif:
    """The motif for what a scene says; `scene` is its hash and decides where the words say nothing."""
    place = next((painter for pattern, painter in _PLACES.items() if find(pattern, words)), None)
    if place is None:
        place = _SILENT[scene // 7 % len(_SILENT)]
    outside = place is not town.room
    starry = palette.dark and find(_NIGHT, words) and place not in {town.room, nature.space}
    wanted = (
        (details.boat, place is nature.sea and _SAIL),
        (details.figure, _PERSON),
        (details.snow, outside and _SNOW),
        (details.rain, outside and _RAIN),
    )
    additions = tuple(painter for painter, pattern in wanted if pattern and find(pattern, words))
    return Motif(place, additions, details.stars if starry else None)


def paint(width: int, height: int, palette: Palette, motif: Motif, scene: int, mirrored: bool) -> Array:
    """The backdrop as rows x columns x RGB, float32, 0 to 1.

    The calm side, where the text begins, is on the left, or `mirrored` on the right.
    """
    easel = Easel(width, height, palette, np.random.Generator(np.random.PCG64(scene)))
    easel.overhead = motif.overhead
    motif.place(easel)
    for addition in motif.additions:
        addition(easel)
    if mirrored:
        easel.pixels = np.ascontiguousarray(easel.pixels[:, ::-1])
    return easel.finish()
