"""Invented questions and answers of three kinds, and the small edits that make a near-copy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt and one answer of each kind.

    brief : a few plain sentences; steps : a numbered list; chatty : a warm, personal answer.
    edits : (old, new) strings, each of which occurs once in ``chatty``.
    """

    prompt: str
    brief: str
    steps: str
    chatty: str
    edits: tuple[tuple[str, str], ...]

    def variants(self) -> list[str]:
        """``chatty`` with one edit each, then with two: n (n + 1) / 2 near-copies, all different"""
        out = []
        for size in (1, 2):
            for chosen in combinations(self.edits, size):
                text = self.chatty
                for old, new in chosen:
                    text = text.replace(old, new)
                out.append(text)
        return out


QUESTIONS: tuple[Question, ...] = (
    Question(
        prompt="How do I get coffee out of a white shirt?",
        brief=(
            "Rinse it from the back with cold water, rub in dish soap, wait ten minutes and wash"
            " as usual."
        ),
        steps=(
            "1. Blot the spot.\n2. Mix vinegar and water, half and half.\n"
            "3. Soak the fabric for an hour.\n4. Launder at 40 degrees."
        ),
        chatty=(
            "Oh no, always right before a meeting! My trusty trick is a paste of baking soda:"
            " let it sit while you finish your cup, then brush it off. Good luck, you will shine!"
        ),
        edits=(
            ("a meeting!", "a meeting."),
            ("trusty", "favourite"),
            ("a paste of baking soda", "**a paste of baking soda**"),
            ("let it sit", "leave it"),
            ("Good luck, you", "Good luck - you"),
            ("you will shine", "you'll shine"),
        ),
    ),
    Question(
        prompt="What can I cook with rice, eggs and spinach?",
        brief=(
            "Fried rice: scramble the eggs, fry cold rice in hot oil, stir in the spinach, add"
            " soy sauce."
        ),
        steps=(
            "1. Heat the oven to 180 degrees.\n2. Steam the spinach.\n"
            "3. Beat the eggs with nutmeg.\n4. Layer in a dish, bake for 25 minutes."
        ),
        chatty=(
            "What a lovely trio, dinner is nearly done! When friends come round I make little"
            " green pancakes: one bowl, one pan, some music. Flip them, smile, and enjoy every"
            " bite!"
        ),
        edits=(
            ("nearly done!", "nearly done."),
            ("lovely", "wonderful"),
            ("little green pancakes", "*little green pancakes*"),
            ("come round", "come over"),
            ("one bowl, one pan, some", "one bowl, one pan and some"),
            ("enjoy every bite", "enjoy each bite"),
        ),
    ),
    Question(
        prompt="How can I fall asleep before an early flight?",
        brief=(
            "Pack in the afternoon, set two alarms, skip caffeine after lunch and go to bed one"
            " hour early."
        ),
        steps=(
            "1. Put your phone in another room.\n2. Cool the bedroom.\n"
            "3. Breathe in for four, out for eight.\n4. Relax each muscle in turn."
        ),
        chatty=(
            "Travel nerves are the worst, I feel for you! Honestly, I make chamomile tea and"
            " picture the beach I am flying to. You can always nap on the plane, so be kind to"
            " yourself!"
        ),
        edits=(
            ("I feel for you!", "I feel for you."),
            ("Honestly", "Frankly"),
            ("chamomile tea", "**chamomile tea**"),
            ("picture the beach", "imagine the beach"),
            ("on the plane, so", "on the plane - so"),
            ("You can always", "You can still"),
        ),
    ),
)
