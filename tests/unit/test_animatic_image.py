"""The card that the image animatic makes: its text, its looks, its bytes."""

import io
import unicodedata
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from services.image_worker import bidi, fonts, palette, reading, typesetting
from services.image_worker.animatic import Animatic, compose
from services.image_worker.palette import PALETTES, contrast
from shared.contracts.scene import Stage
from shared.generator import GenerationFailed, Job, Stopped

LONG = "The train leaves the station, and for the first time in eleven years Marta does not look back. " * 30

TEXTS = {
    "word": "Snow.",
    "sentence": "A lighthouse keeper watches the sea at dusk, waiting for a ship that is three days late.",
    "paragraph": LONG[:2000],
    "one endless word": "A" * 300,
    "cyrillic": "Ночью в лесу выпал снег, и волк вышел к дороге.",
    "greek": "Η θάλασσα ήταν ήρεμη και το φως του φάρου έσβησε.",
    "chinese": "老灯塔守望着大海，等待着一艘迟到了三天的船。「他会回来的」，她说。",
    "japanese": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "korean": "바다 위로 해가 떠오르고, 소년은 자신의 이름을 큰 소리로 외쳤다.",
    "arabic": "كان البحر هادئًا تلك الليلة، ولم يكن أحد يعلم أن السفينة رقم 47 لن تعود.",
    "hebrew": "הים היה שקט באותו לילה, ו-3 דייגים יצאו אל האופק (בפעם האחרונה).",
    "hindi": "पहाड़ों के पीछे सूरज ढल रहा था और बच्चे सड़क पर खेल रहे थे।",
    "thai": "ในคืนที่ฝนตกหนักเด็กหญิงเดินไปตามถนนที่ว่างเปล่าเพื่อตามหาแมวของเธอ",
    "mixed with emoji": "She texts “我到了 🚀” and he answers مرحبا with a 😂❤️ and two 👩‍👩‍👧 🇫🇷 ✈️.",
}

HOSTILE = {
    "controls": "a\x00b\x07c\x1b[31m d\r\n\te",
    "overrides": "safe \u202egnp.exe\u202c \u2066x\u2069 end",
    "lone surrogates": "\ud800 x \udfff",
    "invisible": "\u200b\u200d\ufeff\u2060\ufe0f\u034f",
    "stacked marks": "Z" + "\u0363\u035b\u0332" * 200 + "algo",
    "private and unassigned": "\ue000\U000f0000\U0003ffff\uffff",
    "nothing": "",
    "spaces": " \u3000\n ",
    "100 kB": "storm " * 17_000,
    "100 kB without a space": "x" * 100_000,
    "joiners": "👩" + "\u200d👩" * 500,
}

SIZES = [(1280, 720), (720, 1280), (1024, 1024), (1920, 1080), (320, 180), (64, 64), (1024, 64), (64, 1024), (333, 217)]


def job(text: str, style: str = "", width: int = 1280, height: int = 720, seed: int = 7) -> Job:
    return Job(UUID(int=1), Stage.IMAGE, 1, 4, "The Lighthouse Keeper", text, text, style, seed, width, height, 4.0, 24)


def png(wanted: Job) -> bytes:
    return Animatic().generate(wanted, lambda fraction: None, lambda: False).data


def assert_ink_is_safe(wanted: Job) -> None:
    for ink in compose(wanted).inks:
        box = ink.mask.getbbox()
        if box:
            across, down = 0.08 * wanted.width, 0.08 * wanted.height
            assert box[0] >= across and box[1] >= down, box
            assert box[2] <= wanted.width - across and box[3] <= wanted.height - down, box


def test_the_same_job_gives_the_same_bytes_whichever_attempt_it_is() -> None:
    wanted = job(TEXTS["sentence"], "cinematic")
    assert png(wanted) == png(replace(wanted, attempt=3, scene_id=UUID(int=99)))


def test_another_text_style_or_seed_gives_another_picture() -> None:
    wanted = job("Nothing was ever the same again.")
    others = [
        replace(wanted, text="Nothing was ever the same."),
        replace(wanted, style="noir"),
        replace(wanted, seed=8),
    ]
    assert len({png(one) for one in [wanted, *others]}) == 4


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_picture_has_the_size_asked_for_and_its_text_stays_in_the_safe_area(width: int, height: int) -> None:
    wanted = job(TEXTS["sentence"], "vintage", width, height)
    rendered = Animatic().generate(wanted, lambda fraction: None, lambda: False)
    with Image.open(io.BytesIO(rendered.data)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (width, height))
    assert (rendered.media_type, rendered.width, rendered.height) == ("image/png", width, height)
    assert compose(wanted).inks[0].mask.getbbox() is not None
    assert_ink_is_safe(wanted)


@pytest.mark.parametrize("name", TEXTS)
def test_every_script_and_length_is_set_whole_inside_the_safe_area(name: str) -> None:
    wanted = job(TEXTS[name])
    setting = compose(wanted).setting
    shown = "".join(run.text for line in setting.lines for run in line)
    assert not setting.elided
    # Nothing was dropped or replaced: only selectors without a glyph and spaces at line ends may be missing.
    assert sorted(_bare(shown)) == sorted(_bare(TEXTS[name]))
    assert_ink_is_safe(wanted)


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", text) if c != " " and not 0xFE00 <= ord(c) <= 0xFE0F)


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_not_clipped_where_its_box_ends(name: str) -> None:
    """The box is drawn once with ample room around it; no ink may lie where the card would cut it off."""
    wanted = job(TEXTS[name])
    setting = compose(wanted).setting
    room = 200
    sheet = typesetting.draw(setting, 1074 + 2 * room, setting.height + 2 * room, room, room, 1074)
    box = sheet.getbbox()
    assert box is not None
    assert box[0] >= room - 2 and box[2] <= room + 1074 + 2, box
    assert box[1] >= room - setting.leading / 2 and box[3] <= room + setting.height + setting.leading / 2, box


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "one endless word"])
def test_no_character_of_a_supported_script_is_drawn_as_an_empty_box(name: str) -> None:
    for line in compose(job(TEXTS[name])).setting.lines:
        for run in line:
            missing = _missing(run)
            assert not missing, (run.text, missing)


def _missing(run: typesetting.Run) -> list[str]:
    known = fonts.coverage(run.face)
    return [c for c in run.text if ord(c) not in known and ord(c) not in fonts.INVISIBLE]


def test_coverage_says_what_a_face_really_has() -> None:
    """A wrong answer would bring empty boxes back: no claimed letter may come out as the box for unknown ones."""
    for face in fonts.chain(fonts.Voice.SANS, "a"):
        known = fonts.coverage(face)
        assert len(known) > 80, face
        font = fonts.load(face, 24, 500, 24)
        empty = bytes(font.getmask("\U0010ffff"))
        # Where a range of the table ends is where a reader of it goes wrong.
        ends = [c for c in sorted(known) if c + 1 not in known and unicodedata.category(chr(c))[0] in "LNPS"]
        for code in ends[:: max(1, len(ends) // 40)]:
            assert bytes(font.getmask(chr(code))) != empty, (face, hex(code))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_neither_crashes_nor_leaves_its_place(name: str) -> None:
    wanted = replace(job(HOSTILE[name]), title=HOSTILE[name], style=HOSTILE[name], prompt=HOSTILE[name])
    assert png(wanted) == png(wanted)
    assert_ink_is_safe(wanted)


def test_marks_piled_on_a_letter_do_not_grow_out_of_their_line() -> None:
    setting = compose(job(HOSTILE["stacked marks"])).setting
    assert len("".join(run.text for line in setting.lines for run in line)) <= 8


def test_a_text_that_cannot_fit_ends_with_an_ellipsis_and_stays_readable() -> None:
    setting = compose(job("storm at sea " * 900, "", 320, 180)).setting
    assert setting.elided
    assert setting.lines[-1][-1].text.endswith("…")
    assert setting.size >= 6


@pytest.mark.parametrize(
    "text", [TEXTS["sentence"], TEXTS["paragraph"], "A city at night in the rain.", "He waits in the room."]
)
@pytest.mark.parametrize(
    "style", ["", "noir", "watercolor", "neon", "pastel", "black and white", "sepia", "sketch", "warm"]
)
def test_every_pixel_behind_text_keeps_the_contrast_that_reading_needs(text: str, style: str) -> None:
    card = compose(job(text, style))
    ground = np.asarray(card.ground, np.float64) / 255
    for ink in card.inks:
        behind = np.unique(ground[np.asarray(ink.mask) > 0], axis=0)
        worst = min(contrast((r, g, b), ink.colour) for r, g, b in behind)
        assert worst >= 4.5, worst


def test_every_palette_is_readable_on_its_own_ground() -> None:
    for name, colours in PALETTES.items():
        assert contrast(colours.ink, colours.ground) >= 10, name


@pytest.mark.parametrize(
    ("style", "names"),
    [
        ("Film noir, 1947", {"noir"}),
        ("soft watercolor", {"watercolour", "blossom", "mint"}),
        ("neon cyberpunk", {"neon"}),
        ("Black and white", {"silver", "noir"}),
        ("sepia photograph", {"sepia"}),
        ("documentary", {"slate", "dusk", "cobalt"}),
    ],
)
def test_a_style_steers_the_palette(style: str, names: set[str]) -> None:
    chosen = {palette.choose(style, "Nothing happened.", 3, scene).name for scene in range(30)}
    assert chosen == names


def test_one_story_without_a_known_style_keeps_to_colours_that_go_together() -> None:
    chosen = {palette.choose("zzz", "Nothing happened.", 3, scene).name for scene in range(100)}
    assert 2 <= len(chosen) <= 3


def test_progress_grows_to_one() -> None:
    told: list[float] = []
    Animatic().generate(job(TEXTS["sentence"]), told.append, lambda: False)
    assert len(told) >= 5
    assert all(a < b for a, b in pairwise(told))
    assert told[-1] == 1.0


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_it_stops_at_the_first_step_after_it_was_asked_to(after: int) -> None:
    told: list[float] = []
    with pytest.raises(Stopped):
        Animatic().generate(job(TEXTS["sentence"]), told.append, lambda: len(told) >= after)
    assert len(told) == after


@pytest.mark.parametrize(("width", "height", "field"), [(63, 720, "width"), (1280, 4097, "height"), (-1, 720, "width")])
def test_a_size_out_of_range_is_refused_by_name_and_bounds(width: int, height: int, field: str) -> None:
    with pytest.raises(GenerationFailed) as failure:
        png(job("x", "", width, height))
    assert failure.value.cause == "bad_size"
    assert not failure.value.retryable
    assert field in failure.value.message and "64" in failure.value.message and "4096" in failure.value.message


def test_right_to_left_text_ends_lines_on_the_right_and_its_numbers_keep_their_order() -> None:
    assert bidi.is_rtl(TEXTS["hebrew"]) and not bidi.is_rtl(TEXTS["sentence"])
    text = "אבג 123 דה"
    order = [(text[a:b], rtl) for a, b, rtl in bidi.visual(bidi.levels(text, rtl=True))]
    assert order == [(" דה", True), ("123", False), ("אבג ", True)]


def test_a_foreign_name_inside_right_to_left_text_reads_from_left_to_right() -> None:
    text = "אב New York גד"
    order = [text[a:b] for a, b, _ in bidi.visual(bidi.levels(text, rtl=True))]
    assert order == [" גד", "New York", "אב "]


def test_arabic_letters_are_joined() -> None:
    """Joined letters take other forms and other widths than letters that stand alone."""
    word = "كتاب"
    face = fonts.pick(word, fonts.chain(fonts.Voice.SANS, word))
    assert face is not None
    font = fonts.load(face, 60, 500, 60)
    assert font.getlength(word, direction="rtl") < 0.95 * sum(
        font.getlength(letter, direction="rtl") for letter in word
    )


def test_no_line_starts_with_a_mark_that_closes_a_sentence() -> None:
    setting = typesetting.Text(TEXTS["japanese"] + TEXTS["chinese"], fonts.Voice.SANS, 500)
    for width in range(150, 900, 25):
        lines = setting.fit(width, 4000, largest=40, smallest=40).lines
        starts = {line[0].text[0] for line in lines}
        assert not starts & set("。、，」ーっょ"), width


def test_lines_are_about_as_long_as_each_other() -> None:
    text = typesetting.Text("The ship that everyone had waited for came in at last, and no one", fonts.Voice.SANS, 500)
    setting = text.fit(900, 400, largest=50, smallest=50)
    lengths = [sum(len(run.text) for run in line) for line in setting.lines]
    assert len(lengths) == 2
    assert min(lengths) >= 0.75 * max(lengths)


def test_an_emoji_sequence_or_a_letter_with_its_marks_is_never_taken_apart() -> None:
    wholes = ["👩‍👩‍👧", "🇫🇷", "👍🏽", "❤️", "क्षि", "กำ", "e\u0323\u0302"]
    assert list(reading.clusters("".join(wholes))) == wholes


def test_a_card_is_made_without_any_of_the_font_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_packaged", lambda: ((), (), ()))
    monkeypatch.setattr(fonts, "_system", lambda: ())
    assert png(job("A plain sentence, and 海 that no face knows.")).startswith(b"\x89PNG")
