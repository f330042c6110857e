"""Willow Village: a small world with a law of its own, in which animals ask and a desk answers.

Everything is made up, so it is nobody's legal advice, and all of it is known: every question has a best
answer, and `gold` says how good any other one is. Every text exists in English and in Chinese, rendered
from the same frames; words are separated by spaces.

- `law`: the animals, and what the village code says about twelve kinds of trouble.
- `texts`: a `Case`, and the questions, answers and documents that are written about it.
- `gold`: the judge, who reads an answer by inverting the frames.
- `vocabulary`: words to ids and back.
"""
