"""Texts of few words that no reader can tell apart, and vowel marks."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from cr_audit.clones.find import find_clones
from cr_audit.clones.looks import MAX_ALIKE, alike, look
from cr_audit.clones.noise import pair_distances
from cr_audit.clones.rendered import VOWEL_MARKS, rendered

ARABIC = "اللُّغَةُ العَرَبِيَّةُ لُغَةٌ جَمِيلَةٌ وَهِيَ مِنْ أَكْثَرِ اللُّغَاتِ انْتِشَارًا فِي العَالَمِ"
HEBREW = "הַשָּׂפָה הָעִבְרִית הִיא שָׂפָה שֵׁמִית עַתִּיקָה שֶׁקָּמָה לִתְחִיָּה בַּמֵּאָה הָאַחֲרוֹנָה"
# One word apart by a vowel sign or a tone that is part of the spelling.
DIFFERENT = [
    ("हाँ", "हां"),  # two spellings, two signs
    ("दिन", "दीन"),  # day, poor
    ("काम", "कम"),  # work, less
    ("ใกล้", "ไกล"),  # near, far
    ("มา", "ม้า"),  # come, horse
    ("か", "が"),
    ("বল", "বলা"),
    ("été", "ete"),
    ("Sì", "Si"),
    ("x²", "x2"),
    ("½", "12"),
    ("Yes", "yes"),
    ("٥", "ه"),  # five, the letter h: both look like o
    ("2*3*4", "234"),
    ("<repeats himself>", "<repeats everything>"),
]
ALIKE = [
    ("Yes", "Ye\u200bs"),
    ("Yes", "Yеs"),  # Cyrillic
    ("Yes", "Ｙｅｓ"),
    ("Yes", "𝐘𝐞𝐬"),
    ("Yes", "Yes<!-- indeed -->"),
    ("Yes", "Yes&#8203;"),
    ("Yes", "\u202eseY\u202c"),
    ("a b", "a\u00a0b"),
    ("42", "4\u20602"),
    ("نعم", "نَعَم"),
    ("نعم", "نـعـم"),
    ("نعم", "نعمﹶ"),
    ("שלום לך", "שָׁלוֹם לְךָ"),
    ("שלום", "שׁלום"),
    ("ܫܠܡܐ", "ܫܠܵܡܵܐ"),
]


def bare(text: str) -> str:
    return unicodedata.normalize("NFC", VOWEL_MARKS.sub("", unicodedata.normalize("NFD", text)))


def labels(texts: list[str], prompts: list[str | None] | None = None) -> list[int]:
    asked = prompts or [None]
    of = np.arange(len(texts)) if prompts else np.zeros(len(texts), np.int64)
    report = find_clones(
        response_texts=texts, prompt_of=of, prompt_texts=asked, rng=np.random.default_rng(0)
    )
    return report.labels.labels.tolist()


@pytest.mark.parametrize("text", [ARABIC, HEBREW], ids=["Arabic", "Hebrew"])
def test_texts_that_differ_only_in_vowel_marks_are_near(text: str) -> None:
    assert bare(text) != text
    assert rendered(text) == rendered(bare(text))
    assert labels([text, bare(text), "אחר לגמרי"]) == [0, 0, 1]
    some = "".join(c for i, c in enumerate(text) if i % 3 or not VOWEL_MARKS.match(c))
    assert pair_distances([text, some], np.array([0]), np.array([1])).tolist() == [0.0]


@pytest.mark.parametrize(("one", "two"), ALIKE)
def test_short_answers_that_look_the_same_are_near(one: str, two: str) -> None:
    assert look(one) == look(two)
    assert labels([one, two, "No"]) == [0, 0, 1]
    assert pair_distances([one, two], np.array([0]), np.array([1]))[0] <= 0.4


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_short_answers_that_differ_to_a_reader_are_not(one: str, two: str) -> None:
    assert look(one) != look(two)
    assert labels([one, two, "\u200b?"]) == [0, 1, 2]


@pytest.mark.parametrize(("one", "two"), [p for p in DIFFERENT if not p[0].isascii()][:7])
def test_marks_that_are_letters_stay_in_long_texts_too(one: str, two: str) -> None:
    assert rendered(one) != rendered(two)


def test_katakana_spell_what_hiragana_do() -> None:
    said = "わたしたちはまいにちこのみちをあるいてがっこうへいきますがきょうはあめがふっています"
    other = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in said)
    assert labels([said, other]) == [0, 0]
    assert look("はし") != look("ハシ")


def test_short_prompts_that_look_the_same_are_one() -> None:
    answer = "A cat sleeps for most of the day and hunts at dawn."
    assert labels([answer, answer], ["Why?", "Why\u200b?"]) == [0, 0]
    assert labels([answer, answer], ["Why?", "Who?"]) == [0, 1]


def test_very_many_of_one_look_stay_linear() -> None:
    n = 5 * MAX_ALIKE + 7
    texts = ["Yes" + "\u200b" * i for i in range(n)]
    first, second = alike(texts, np.arange(n), np.zeros(n, np.int64))
    assert first.size == 5 * MAX_ALIKE * (MAX_ALIKE - 1) // 2 + 7 * 6 // 2
    assert (first < second).all()
    split = np.arange(n) % 2
    first, second = alike(texts, np.arange(n), split)
    assert (split[first] == split[second]).all()


def test_plain_groups_are_not_looked_at() -> None:
    first, _ = alike(["Yes", "Yes ", "No"], np.arange(3), np.zeros(3, np.int64))
    assert first.size == 0
