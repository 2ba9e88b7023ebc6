"""Invented answers, in three languages and many lengths, to prompts nobody asked."""

ANSWERS: dict[str, list[str]] = {
    "Is the moon larger than the earth?": [
        "No.",
        "Yes.",
        "No, the earth is about four times as wide as the moon.",
        "The moon is smaller: its diameter is 3,474 km, and that of the earth is 12,742 km.",
    ],
    "How do I keep basil alive?": [
        "Basil needs light, warmth and water from below. Put the pot on a bright window. Pour "
        "water into the saucer, wait half an hour, and tip out the rest. Cut whole shoots above "
        "a pair of leaves instead of picking single leaves. Divide a crowded supermarket pot into "
        "four and plant each part in fresh soil.",
        "Most basil dies because too many seedlings share one small pot. Split them up first! Then "
        "give them a sunny place, feed them every second week, and never let the roots stand in "
        "water. If the plant starts to flower, pinch out the tips.",
        "Treat it as a guest who hates the cold: no draughts, nothing under 12 degrees, a drink "
        "each morning. Harvest from the top so that it branches.",
    ],
    "Write a pun about bread.": [
        "I kneaded a break from baking, but I could not afford to loaf around.",
        "The baker quit because he could not make enough dough.",
        "My toaster and I had a falling out; things got heated and then it popped.",
    ],
    "Warum ist der Himmel blau?": [
        "Das Licht der Sonne enthält alle Farben. In der Luft wird kurzwelliges Licht viel stärker "
        "gestreut als langwelliges. Deshalb kommt das blaue Licht aus allen Richtungen zu uns, und "
        "der Himmel sieht blau aus. Abends ist der Weg durch die Luft länger, und es bleibt das "
        "rote Licht übrig. Das ist auch sehr gut auf Fotos zu sehen.",
        "Weil die Moleküle der Luft blaues Licht kräftiger ablenken als rotes. Wer nach oben "
        "schaut, sieht also abgelenktes Sonnenlicht, und das ist vor allem blau. Man nennt das "
        "Rayleigh-Streuung. Violett wird noch mehr gestreut, aber unsere Augen merken davon wenig.",
    ],
    "怎样煮好米饭？": [
        "先把米洗两遍，再用清水泡二十分钟。水的高度比米高一个指节就可以了。大火烧开以后改成小火，盖上锅盖煮十五分钟。"
        "关火后不要马上打开，再焖十分钟，米饭会非常松软。",
        "想要米饭好吃，关键是米和水的比例。一杯米配一杯半水，放进电饭锅，按下开关等它跳起来。最后用勺子轻轻翻松，让水汽散掉。",
    ],
    "Explain recursion to a child.": [
        "Imagine a box, and in the box a smaller box, and in that one a smaller box still. To find "
        "the sweet you open a box. If there is a box inside, you do the very same thing again. You "
        "stop when you find the sweet. Doing the same thing on a smaller problem until it is easy "
        "is called recursion.",
        "Stand between two mirrors and look: there is a picture of you, with a picture of you in "
        "it, and so on. Recursion means that a job uses itself to do a smaller piece of the job. "
        "There has to be a smallest piece, otherwise it would never end.",
        "Recursion is when somebody who is asked a question asks the next person in the queue the "
        "same question, and the last person knows the answer. Then the answer travels back.",
    ],
    "Suggest a name for a grey cat.": [
        "Pebble",
        "Ash",
        "Mister Drizzle",
        "You could call it Slate.",
    ],
    "Write a function that adds two numbers in Python.": [
        "```python\ndef add(a, b):\n    return a + b\n```",
        'def total(x: float, y: float) -> float:\n    """The sum of x and y."""\n    return x + y',
        "You can use a lambda: `plus = lambda p, q: p + q`. Calling plus(2, 3) gives 5.",
    ],
    "What should I see in a small harbour town in one day?": [
        "Start at the fish market, which is over by eight. Walk along the mole to the lighthouse "
        "and count the cormorants. Have soup in one of the huts; the one with the green door is "
        "good. In the afternoon the museum shows model ships, and the old man at the desk built "
        "most of them. End the day on the west beach, because that is where the sun goes down.",
        "1. **Harbour tour** by boat, about 50 minutes.\n2. **Church of the sailors** with votive "
        "ships under the roof.\n3. **Lunch** at the quay: fried herring.\n4. **Dune path** to the "
        "next village and back by bus.\n5. **Evening**: open-air cinema in the dry dock.",
        "One day is short. I would skip the sights, rent a bicycle and follow the coast to the "
        "south until the wind turns. Take water with you. The bakery at the station opens at six.",
    ],
}
