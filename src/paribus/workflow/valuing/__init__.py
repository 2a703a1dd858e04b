"""From the verdict to money: the case, the forecast's score, the learning card, in facts, words and pictures."""
