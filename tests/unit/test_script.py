"""A pasted script becomes the sentences that its writer meant, and nothing of it is lost."""

import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.coordinator.script import split_script

#: Each entry is what must come back, in order, from its parts joined by a space.
ENGLISH = [
    ["Dr. Smith met Mrs. Jones and Mr. White.", "They ate soup."],
    ["Dr. Who met Mr. So and Mrs. Then.", "They ate."],
    ["She packed it all, e.g. the lamp.", "He slept."],
    ["It is old, i.e. from before the war.", "Nobody knows."],
    ["See p. 55 of the report.", "Then come back."],
    ["J. R. R. Tolkien wrote it.", "We read it."],
    ["The U.S. fleet sailed.", "It was dawn."],
    ["St. Petersburg sleeps.", "No. 5 is alive."],
    ["It cost 3.14 dollars.", "She had 1,000.50 left."],
    ["Wait... what?", "He stopped."],
    ["He waited… and waited.", "Nothing came."],
    ["Wait!!", "No?!", "Yes."],
    ["“Are you going?” she asked.", "He nodded."],
    ['"Go!" he said.', '"Now?" she asked.', "They ran."],
    ['He said "No."', "Then he left."],
    ["“Stop.”", "He ran."],
    ["He said: “I won't. I can't.”", "Then he left."],
    ["She said, 'Go.'", "Then she left."],
    ["He laughed (did he?) and left.", "(She did not.)"],
    ["Node.js is a program.", "Version 1.2.3 is old."],
    ["No full stop at the end"],
]
OTHERS = {
    "japanese": ["彼は言った。", "「行くの？」と彼女。", "雨が降る！", "もう遅い。"],
    "japanese dialogue of two sentences": ["「はい。そうです。」と言った。", "次の朝。"],
    "japanese after a quote": ["「はい。」", "ところが、彼は来ない。"],
    "chinese": ["他走了。", "“你去吗？”她问。", "下雨了！", "真的吗？"],
}
SPACED = {
    "arabic": ["هل تذهب؟", "نعم.", "لا!"],
    "russian dialogue": ["— Идёшь? — спросил он.", "— Да.", "Они ушли."],
    "french": ["«Vous venez ?» demanda-t-il.", "Oui."],
    "hindi": ["नमस्ते।", "कैसे हो?"],
    "mixed": ["I saw Mrs. White.", "你好。", "我是谁？"],
}


@pytest.mark.parametrize("sentences", ENGLISH, ids=lambda sentences: sentences[0])
def test_english_is_split_where_its_sentences_end(sentences: list[str]) -> None:
    assert split_script(" ".join(sentences)) == sentences


@pytest.mark.parametrize("sentences", OTHERS.values(), ids=OTHERS.keys())
def test_a_script_without_spaces_is_split_where_its_sentences_end(sentences: list[str]) -> None:
    assert split_script("".join(sentences)) == sentences


@pytest.mark.parametrize("sentences", SPACED.values(), ids=SPACED.keys())
def test_other_languages_are_split_where_their_sentences_end(sentences: list[str]) -> None:
    assert split_script(" ".join(sentences)) == sentences


def test_a_blank_line_ends_a_sentence_and_a_wrapped_line_does_not() -> None:
    script = "The tower\r\nstood alone\r\n\r\nWaves below\n   \n\n\tThe end"
    assert split_script(script) == ["The tower stood alone", "Waves below", "The end"]


def test_a_wrapped_chinese_line_gets_no_space() -> None:
    assert split_script("他走\n了。\n下雨了。") == ["他走了。", "下雨了。"]


def test_a_list_is_one_sentence_for_each_item() -> None:
    assert split_script("- The fox runs\n- The owl\n  watches\n* Night") == [
        "- The fox runs",
        "- The owl watches",
        "* Night",
    ]
    assert split_script("1. The fox runs\n2. The owl watches") == ["1. The fox runs", "2. The owl watches"]


def test_a_number_stays_with_its_item() -> None:
    assert split_script("1. The fox runs. 2. The owl watches.") == ["1. The fox runs.", "2. The owl watches."]


def test_a_quote_that_nobody_closes_stays_with_what_it_opens() -> None:
    assert split_script("Then he spoke. “My friends are here. We stay.")[:2] == [
        "Then he spoke.",
        "“My friends are here.",
    ]
    assert split_script('Then he spoke. "My friends are here.')[-1] == '"My friends are here.'


def test_a_lone_quote_or_dash_is_no_sentence() -> None:
    for sentence in split_script('He ran. " — ... She fell. ”'):
        assert any(character.isalnum() for character in sentence)


@pytest.mark.parametrize("empty", ["", " ", "\n\n\r\n\t", "\u3000"])
def test_nothing_is_no_sentences(empty: str) -> None:
    assert split_script(empty) == []


def test_only_marks_are_kept_and_not_thrown_away() -> None:
    assert split_script("...") == ["..."]


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "'; DROP TABLE sentence; --", "../../etc/passwd", "{{7*7}} ${HOME} %s %n"],
)
def test_hostile_text_is_only_text(hostile: str) -> None:
    assert "".join(split_script(hostile)).replace(" ", "") == hostile.replace(" ", "")


def letters(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character)[0] not in "CZ")


marks = st.sampled_from(
    list(" .!?…,:;\"'“”‘’«»「」『』。！？、（）()—–-\n\r\t\u2028\u3000\u200f\u202e*1aAbé한語のとنЖ😀\u0301")
)
texts = st.lists(marks | st.characters(exclude_categories=["Cs"]), max_size=120).map("".join)
words = st.lists(
    st.sampled_from(["Dr.", "He ", "said", '"', "No.", "\n", "\n\n", "「", "」", "と", "。", "- ", "1. ", "U.S. "])
)


@settings(max_examples=400, derandomize=True)
@given(texts | words.map("".join))
def test_no_letter_is_lost_doubled_or_moved(script: str) -> None:
    sentences = split_script(script)
    assert letters("".join(sentences)) == letters(script)
    assert all(sentence == sentence.strip() and sentence for sentence in sentences)


def test_a_long_story_is_split_as_its_pieces_are() -> None:
    story = [
        "The keeper climbed.",
        "“Who is there?” she asked.",
        "He said: “I won't. I can't. Go.”",
        "So it was.",
    ]
    assert split_script(" ".join(story * 2_000)) == story * 2_000


@pytest.mark.parametrize("unit", ["「あ。", "“a. ", "(a. ", '"', ". ", "Mr. ", "\n", "a\n", "1. ", "- a\n", "😀. "])
def test_the_largest_script_takes_seconds_whatever_is_in_it(unit: str) -> None:
    script = (unit * 200_000)[:200_000]
    started = time.process_time()
    sentences = split_script(script)
    assert time.process_time() - started < 10
    assert letters("".join(sentences)) == letters(script)


def test_the_same_script_is_always_split_the_same_way() -> None:
    script = "他走了。“你去吗？”她问。 He said “No.” Then 「行くの？」と彼女。"
    assert len({tuple(split_script(script)) for _ in range(50)}) == 1
    assert not re.search(r"\s{2}", " ".join(split_script(script)))
