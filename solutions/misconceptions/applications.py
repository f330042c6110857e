"""Plausible wrong answers to `nexttoken.applications`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math

import torch

from nexttoken.applications import ANSWER, DOCUMENT, MARKS, QUESTION, Action, Cost, Run, Step


def few_shot_prompt__nearest_examples_left_out(examples, question, room):
    """You leave out examples from the end, next to the question. What was read last has the strongest pull,
    so it is the first one, the furthest from the question, that goes first."""
    pairs = [f"{QUESTION} {q} {ANSWER} {a}".split() for q, a in [*examples, (question, "")]]
    while len(pairs) > 1 and sum(map(len, pairs)) > room:
        del pairs[-2]
    return " ".join(word for pair in pairs for word in pair)


def few_shot_prompt__room_ignored(examples, question, room):
    """You take all the examples, however many words they have. A model reads a limited number of tokens; what
    is too much has to be left out here, one whole example after the other."""
    pairs = [f"{QUESTION} {q} {ANSWER} {a}" for q, a in [*examples, (question, "")]]
    return " ".join(" ".join(pairs).split())


def few_shot_prompt__cut_in_the_middle(examples, question, room):
    """You cut off words at the front until the rest fits, wherever that may be. Half an example, an answer
    without its question, shows the model something that is not so: leave out whole ones."""
    words = " ".join(f"{QUESTION} {q} {ANSWER} {a}" for q, a in [*examples, (question, "")]).split()
    return " ".join(words[max(0, len(words) - room) :])


def few_shot_prompt__marks_not_counted(examples, question, room):
    """You count the words of questions and answers, and not the marks. The model reads `<q>` and `<a>` like any
    other token, so they take room too."""
    pairs = [f"{QUESTION} {q} {ANSWER} {a}".split() for q, a in [*examples, (question, "")]]
    while len(pairs) > 1 and sum(word not in MARKS for pair in pairs for word in pair) > room:
        pairs = pairs[1:]
    return " ".join(word for pair in pairs for word in pair)


def few_shot_prompt__question_thrown_away_too(examples, question, room):
    """If the question alone is too long, you leave it out as well, and nothing is asked any more. Examples may
    go; the question always stays."""
    pairs = [f"{QUESTION} {q} {ANSWER} {a}".split() for q, a in [*examples, (question, "")]]
    while pairs and sum(map(len, pairs)) > room:
        pairs = pairs[1:]
    return " ".join(word for pair in pairs for word in pair)


def few_shot_prompt__not_the_answers_turn(examples, question, room):
    """Your prompt ends with the question. The last word must be `<a>`: it says whose turn it is, and without it
    the model may go on with the question."""
    pairs = [f"{QUESTION} {q} {ANSWER} {a}".split() for q, a in examples]
    asked = f"{QUESTION} {question}".split()
    while pairs and sum(map(len, pairs)) + len(asked) > room:
        pairs = pairs[1:]
    return " ".join(word for pair in [*pairs, asked] for word in pair)


def few_shot_prompt__letters_counted(examples, question, room):
    """You compare `room` with the number of letters, `len(prompt)`. It is a number of words, and a word is a
    token here: `len(prompt.split())`."""
    pairs = [f"{QUESTION} {q} {ANSWER} {a}".split() for q, a in [*examples, (question, "")]]
    while len(pairs) > 1 and len(" ".join(word for pair in pairs for word in pair)) > room:
        pairs = pairs[1:]
    return " ".join(word for pair in pairs for word in pair)


def few_shot_prompt__one_word_too_careful(examples, question, room):
    """You leave out an example although the prompt has exactly `room` words. That many are allowed: only with
    more than `room` something must go."""
    pairs = [f"{QUESTION} {q} {ANSWER} {a}".split() for q, a in [*examples, (question, "")]]
    while len(pairs) > 1 and sum(map(len, pairs)) >= room:
        pairs = pairs[1:]
    return " ".join(word for pair in pairs for word in pair)


def few_shot_prompt__short_ones_from_further_away(examples, question, room):
    """You pass over an example that is too long, and go on to shorter ones before it. Then there is a gap, and
    an example from far away has taken the place of a near one. The first that does not fit ends it: all that
    stand before it go too."""
    kept = [f"{QUESTION} {question} {ANSWER}".split()]
    for q, a in reversed(examples):
        pair = f"{QUESTION} {q} {ANSWER} {a}".split()
        if sum(map(len, kept)) + len(pair) <= room:
            kept.insert(0, pair)
    return " ".join(word for pair in kept for word in pair)


def chunk_text__overlap_ignored(text, size, overlap=0):
    """Your chunks follow each other without a common word. With an overlap each one begins `size - overlap`
    words after the one before, so that what was cut apart at one border stands together in the next chunk."""
    words = text.split()
    return [" ".join(words[start : start + size]) for start in range(0, len(words), size)]


def chunk_text__last_one_says_nothing_new(text, size, overlap=0):
    """Your last chunk may lie wholly inside the one before: it is nothing but the overlap. It would be found
    twice for one question, and take the place of another. Stop when the words that are left are at most
    `overlap`."""
    words = text.split()
    return [" ".join(words[start : start + size]) for start in range(0, len(words), size - overlap)]


def chunk_text__rest_thrown_away(text, size, overlap=0):
    """You keep whole chunks only, and the words at the end of the text, too few for one more, are lost. The
    last chunk may be shorter."""
    words = text.split()
    starts = range(0, len(words) - size + 1, size - overlap)
    return [" ".join(words[start : start + size]) for start in starts]


def chunk_text__letters_instead_of_words(text, size, overlap=0):
    """You cut after so many letters, through the middle of words. `size` and `overlap` are numbers of words:
    split the text first."""
    letters = " ".join(text.split())
    starts = range(0, max(len(letters) - overlap, 1), size - overlap)
    return [letters[start : start + size] for start in starts if letters]


def chunk_text__a_chunk_of_nothing(text, size, overlap=0):
    """A text without words gives you one empty chunk. There is nothing to be found in it: no words, no
    chunks."""
    words = text.split()
    starts = range(0, max(len(words) - overlap, 1), size - overlap)
    return [" ".join(words[start : start + size]) for start in starts]


def chunk_text__overlap_added_to_the_size(text, size, overlap=0):
    """Your chunks have `size + overlap` words. `size` is the most that one may have, overlap included; what
    becomes shorter is the step from one to the next."""
    words = text.split()
    starts = range(0, max(len(words) - overlap, 1), size)
    return [" ".join(words[start : start + size + overlap]) for start in starts if words]


def chunk_text__last_one_filled_from_the_front(text, size, overlap=0):
    """You move the last chunk forward until it is full, so that it repeats more than `overlap` words. It begins
    where its turn is, and may be shorter."""
    words = text.split()
    starts = range(0, max(len(words) - overlap, 1), size - overlap)
    starts = [max(0, min(start, len(words) - size)) for start in starts]
    return [" ".join(words[start : start + size]) for start in starts if words]


def retrieve__dot_product(query, documents, k):
    """You rank by the plain dot product, so that a long vector comes first whatever it is about. Cosine is the
    dot product of directions: divide each vector by its length."""
    similarity = query @ documents.T
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(dim=-1, descending=True, stable=True)[..., :k]


def retrieve__nearest_point(query, documents, k):
    """You rank by the distance of the points. A document that says the same at twice the length has the same
    direction and is far away; by cosine it is as good."""
    distance = (query.unsqueeze(-2) - documents).norm(dim=-1)
    return distance.argsort(dim=-1, stable=True)[..., :k]


def retrieve__worst_first(query, documents, k):
    """You find the documents that are least like the query: sorting goes from small to large, and a large
    cosine is a good one. `descending=True` turns it round."""
    lengths = query.norm(dim=-1, keepdim=True) * documents.norm(dim=-1)
    similarity = query @ documents.T / torch.where(lengths > 0, lengths, 1.0)
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(dim=-1, stable=True)[..., :k]


def retrieve__nothing_divided_by_nothing(query, documents, k):
    """You divide by the length also where it is 0. That gives NaN, which counts as larger than any number when
    it is sorted: a document about nothing is found first. Its similarity is 0."""
    similarity = query @ documents.T / (query.norm(dim=-1, keepdim=True) * documents.norm(dim=-1))
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(dim=-1, descending=True, stable=True)[..., :k]


def retrieve__similarities_instead_of_numbers(query, documents, k):
    """You return how similar the best documents are. Asked for is which ones they are: their numbers, which
    `argsort` gives."""
    lengths = query.norm(dim=-1, keepdim=True) * documents.norm(dim=-1)
    similarity = query @ documents.T / torch.where(lengths > 0, lengths, 1.0)
    return similarity.sort(dim=-1, descending=True).values[..., :k]


def retrieve__ties_to_the_higher_number(query, documents, k):
    """Of equally similar documents you put the higher number first. It is the lower one that goes first, so
    that everybody who searches finds the same: `stable=True` keeps the order of equals."""
    lengths = query.norm(dim=-1, keepdim=True) * documents.norm(dim=-1)
    similarity = query @ documents.T / torch.where(lengths > 0, lengths, 1.0)
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(dim=-1, stable=True).flip(-1)[..., :k]


def retrieve__axes_of_the_batch_lost(query, documents, k):
    """You return one row for each query, and forget how the queries were arranged. A single query, a vector,
    gives a vector of numbers; queries in several axes give these axes, and then the numbers."""
    flat = query.reshape(-1, query.shape[-1])
    lengths = flat.norm(dim=-1, keepdim=True) * documents.norm(dim=-1)
    similarity = flat @ documents.T / torch.where(lengths > 0, lengths, 1.0)
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(dim=-1, descending=True, stable=True)[..., :k]


def retrieve__in_the_order_of_the_shelf(query, documents, k):
    """You find the right documents and sort them by their numbers. The best one has to come first: whoever has
    room for one passage only takes the first."""
    lengths = query.norm(dim=-1, keepdim=True) * documents.norm(dim=-1)
    similarity = query @ documents.T / torch.where(lengths > 0, lengths, 1.0)
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(dim=-1, descending=True, stable=True)[..., :k].sort(dim=-1).values


def retrieve__more_than_there_are(query, documents, k):
    """You fail where there are fewer than k documents. Then all of them are found: a slice, `[..., :k]`, does
    that by itself, while `topk` and counting up to k do not."""
    lengths = query.norm(dim=-1, keepdim=True) * documents.norm(dim=-1)
    similarity = query @ documents.T / torch.where(lengths > 0, lengths, 1.0)
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(dim=-1, descending=True, stable=True)[..., torch.arange(k)]


def recall_at_k__share_of_what_was_found(ranked, relevant, k):
    """You divide by k: that is precision, the share of the found ones that are relevant. Recall asks how many
    of the relevant ones were found, and divides by their number."""
    return len(relevant & set(ranked[:k])) / k


def recall_at_k__one_is_enough(ranked, relevant, k):
    """You give 1 as soon as a single relevant document was found. That is the hit rate; recall is the share of
    *all* relevant ones."""
    return float(any(document in relevant for document in ranked[:k]))


def recall_at_k__counted_twice(ranked, relevant, k):
    """You count a document again when it is ranked a second time, and may so find more than there is. Found
    twice is found: count the relevant ones that occur, not the places at which they do."""
    return sum(document in relevant for document in ranked[:k]) / len(relevant)


def recall_at_k__only_what_was_possible(ranked, relevant, k):
    """You divide by k where there are more than k relevant documents, so that a full score is always possible.
    Recall is the share of all of them; with too small a k it cannot be 1, and should say so."""
    return len(relevant & set(ranked[:k])) / min(k, len(relevant))


def recall_at_k__whole_ranking(ranked, relevant, k):
    """You look through the whole ranking. Only its first k documents will be read by anyone: `ranked[:k]`."""
    return len(relevant & set(ranked)) / len(relevant)


def recall_at_k__one_place_too_many(ranked, relevant, k):
    """You look at k + 1 documents. `ranked[:k]` has the places 0 to k - 1, and these are k."""
    return len(relevant & set(ranked[: k + 1])) / len(relevant)


def reciprocal_rank__counted_from_zero(ranked, relevant):
    """You count the places from 0, as Python does, and then the best answer of all would be worth 1 / 0. Ranks
    begin at 1: `enumerate(ranked, start=1)`."""
    for rank, document in enumerate(ranked):
        if document in relevant:
            return 1 / rank
    return 0.0


def reciprocal_rank__the_rank_itself(ranked, relevant):
    """You return the rank. Its reciprocal is asked for, 1 / rank: it is larger for the better ranking, at most
    1, and can be averaged with the 0 of a search that found nothing."""
    return next((float(rank) for rank, document in enumerate(ranked, start=1) if document in relevant), 0.0)


def reciprocal_rank__added_for_all(ranked, relevant):
    """You add up 1 / rank for all the relevant documents. Only the first one counts: with it the reader has an
    answer, and reads no further."""
    return sum((1 / rank for rank, document in enumerate(ranked, start=1) if document in relevant), 0.0)


def reciprocal_rank__last_one(ranked, relevant):
    """You keep on looking, and end with the *last* relevant document. The first one counts: stop there."""
    found = 0.0
    for rank, document in enumerate(ranked, start=1):
        if document in relevant:
            found = 1 / rank
    return found


def reciprocal_rank__all_must_be_there(ranked, relevant):
    """You ask for the place of every relevant document, and `index` fails for one that is not in the ranking.
    Go through the ranking instead, and stop at the first that is relevant; if there is none, the result is
    0."""
    return 1 / (1 + min(ranked.index(document) for document in relevant))


def reciprocal_rank__mean_over_the_relevant(ranked, relevant):
    """You average 1 / rank over all relevant documents. The mean is taken later, over questions (mean reciprocal
    rank); within one question only the first relevant document counts."""
    found = [1 / rank for rank, document in enumerate(ranked, start=1) if document in relevant]
    return sum(found) / max(len(relevant), 1)


def without_marks__inside_of_words_too(text):
    """You take the marks out of the inside of words too: `<q>x` becomes `x`. A mark is a whole word, a token of
    its own; the word `<q>x` is none. And what is cut out of words can make new marks: `<<q>q>`."""
    for mark in MARKS:
        text = text.replace(mark, "")
    return " ".join(text.split())


def without_marks__gaps_left(text):
    """You leave the spaces as they were. Where two words stood far apart, or a line ended, they still do; asked
    for is one space between words: `split()` without an argument takes any white space."""
    return " ".join(word for word in text.split(" ") if word not in MARKS)


def without_marks__only_the_answers_mark(text):
    """You take out `<a>` alone. With `<q>` a document can ask a question that nobody asked, and with `<d>` it
    can pass itself off as two: all three have to go."""
    return " ".join(word for word in text.split() if word != ANSWER)


def without_marks__all_angle_brackets(text):
    """You take out every word in angle brackets. Only three words are marks; `<x>` is a word like any other, and
    the text would lose it."""
    return " ".join(word for word in text.split() if not (word.startswith("<") and word.endswith(">")))


def without_marks__text_ends_at_the_first(text):
    """You drop all that follows the first mark. Whoever puts a mark at the front of a rule could hide the rule
    so. Only the marks go; the words stay."""
    words = text.split()
    places = [place for place, word in enumerate(words) if word in MARKS]
    return " ".join(words[: places[0]] if places else words)


def without_marks__each_only_once(text):
    """You take out each mark once. Whoever writes it twice gets through: all of them have to go."""
    words = text.split()
    for mark in MARKS:
        if mark in words:
            words.remove(mark)
    return " ".join(words)


def augment_prompt__best_first(question, passages, room):
    """Your best passage stands first, far from the answer. `passages` come best first, and in the prompt they
    stand the other way round: what is read last is used most."""
    told = [QUESTION, *[word for word in question.split() if word not in MARKS]]
    for passage in passages:
        words = [word for word in passage.split() if word not in MARKS]
        document = [DOCUMENT, *words] if words else []
        if len(told) + len(document) + 1 > room:
            break
        told = [*told, *document]
    return " ".join([*told, ANSWER])


def augment_prompt__worse_one_that_fits(question, passages, room):
    """You pass over a passage that is too long, and take later ones that fit. These are the less good ones, and
    a prompt without its second best passage is a different one each time that a word is added. The first that
    does not fit ends it."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], [ANSWER]
    for passage in passages:
        words = [word for word in passage.split() if word not in MARKS]
        document = [DOCUMENT, *words] if words else []
        if len(asked) + len(document) + len(told) <= room:
            told = [*document, *told]
    return " ".join([*asked, *told])


def augment_prompt__marks_left_in_passages(question, passages, room):
    """You leave the marks in the passages, so that a document can write `<a>` and go on as if it were the desk.
    What comes from outside goes through `without_marks` first."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], [ANSWER]
    for passage in passages:
        words = passage.split()
        document = [DOCUMENT, *words] if words else []
        if len(asked) + len(document) + len(told) > room:
            break
        told = [*document, *told]
    return " ".join([*asked, *told])


def augment_prompt__marks_left_in_the_question(question, passages, room):
    """You clean the passages, and not the question. Whoever asks could write `<d>` and hand in a rule of their
    own: the question goes through `without_marks` too."""
    asked, told = [QUESTION, *question.split()], [ANSWER]
    for passage in passages:
        words = [word for word in passage.split() if word not in MARKS]
        document = [DOCUMENT, *words] if words else []
        if len(asked) + len(document) + len(told) > room:
            break
        told = [*document, *told]
    return " ".join([*asked, *told])


def augment_prompt__counted_before_cleaning(question, passages, room):
    """You count the words of a passage with the marks that you then take out, and may find it too long although
    it fits. Clean first, then count."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], [ANSWER]
    for passage in passages:
        words = [word for word in passage.split() if word not in MARKS]
        if len(asked) + len(passage.split()) + bool(words) + len(told) > room:
            break
        told = [*([DOCUMENT] if words else []), *words, *told]
    return " ".join([*asked, *told])


def augment_prompt__own_marks_not_counted(question, passages, room):
    """You count the words of question and passages, and not the marks that you put between them. The model reads
    these too: `<q>`, `<a>` and one `<d>` for each passage."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], [ANSWER]
    for passage in passages:
        words = [word for word in passage.split() if word not in MARKS]
        document = [DOCUMENT, *words] if words else []
        if sum(word not in MARKS for word in [*asked, *document, *told]) > room:
            break
        told = [*document, *told]
    return " ".join([*asked, *told])


def augment_prompt__cut_to_fit(question, passages, room):
    """You cut the last passage so that it fills the room. Half a rule may say the opposite of the whole: "must
    pay, unless ...". A passage is taken whole, or not at all."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], [ANSWER]
    for passage in passages:
        words = [word for word in passage.split() if word not in MARKS]
        left = room - len(asked) - len(told) - 1
        if words and left > 0:
            told = [DOCUMENT, *words[:left], *told]
        if len(words) > left:
            break
    return " ".join([*asked, *told])


def augment_prompt__empty_ones_kept(question, passages, room):
    """A passage without words leaves a lone `<d>` in your prompt. It takes room and says nothing, and a model
    that has never seen an empty document may write one itself: pass it over."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], [ANSWER]
    for passage in passages:
        document = [DOCUMENT, *[word for word in passage.split() if word not in MARKS]]
        if len(asked) + len(document) + len(told) > room:
            break
        told = [*document, *told]
    return " ".join([*asked, *told])


def augment_prompt__one_mark_for_all(question, passages, room):
    """You write `<d>` once, and then all passages in one. Each has a `<d>` of its own, so that one can see where
    a rule ends and the next one begins."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], []
    for passage in passages:
        words = [word for word in passage.split() if word not in MARKS]
        if len(asked) + 1 + len(words) + len(told) + 1 > room:
            break
        told = [*words, *told]
    return " ".join([*asked, *([DOCUMENT] if told else []), *told, ANSWER])


def augment_prompt__worst_ones_taken(question, passages, room):
    """You begin with the last passages, the least good ones, and the best may find no room. They stand in the
    prompt from the worst to the best, but they are *taken* from the best on."""
    asked, told = [QUESTION, *[word for word in question.split() if word not in MARKS]], [ANSWER]
    taken = []
    for passage in reversed(passages):
        words = [word for word in passage.split() if word not in MARKS]
        document = [DOCUMENT, *words] if words else []
        if len(asked) + len(taken) + len(document) + len(told) > room:
            break
        taken = [*taken, *document]
    return " ".join([*asked, *taken, *told])


def parse_action__found_anywhere(text, tools):
    """You look for a tool's name anywhere in the text, and call the tool even where the model only speaks of it:
    "you can look up rule six yourself". A call stands alone; a name further back is the error "not alone"."""
    said = " ".join(text.split())
    if not said or any(word in MARKS for word in said.split()):
        return Action("error", "forged" if said else "empty")
    for name in tools:
        _, found, after = f" {said} ".partition(f" {name} ")
        if found:
            argument = f" {after}".removesuffix(" . ").split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    return Action("answer", said)


def parse_action__marks_taken_out(text, tools):
    """You take the marks out and go on. But a model that writes `<d>` has made up what the tool would say, and
    has gone on from there: nothing behind it is worth reading. It is the error "forged"."""
    said = " ".join(word for word in text.split() if word not in MARKS)
    if not said:
        return Action("error", "empty")
    for name in tools:
        if f"{said} ".startswith(f"{name} "):
            argument = said.removeprefix(name).removesuffix(" .").split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    inside = any(f" {name} " in f" {said} " for name in tools)
    return Action("error", "not alone") if inside else Action("answer", said)


def parse_action__first_of_several_arguments(text, tools):
    """Of several arguments you take the first. What the model wanted is not known then, and a guess is worse than
    a question: it is the error "two arguments", which the model gets to read."""
    said = " ".join(text.split())
    if not said or any(word in MARKS for word in said.split()):
        return Action("error", "forged" if said else "empty")
    for name in tools:
        if f"{said} ".startswith(f"{name} "):
            argument = said.removeprefix(name).removesuffix(" .").split()
            return Action(name, argument[0]) if argument else Action("error", "no argument")
    inside = any(f" {name} " in f" {said} " for name in tools)
    return Action("error", "not alone") if inside else Action("answer", said)


def parse_action__full_stop_is_an_argument(text, tools):
    """You count the full stop at the end of a call as a word of its argument. The model has learned to end its
    sentences with one: drop a last word that is `.`, and then count."""
    said = " ".join(text.split())
    if not said or any(word in MARKS for word in said.split()):
        return Action("error", "forged" if said else "empty")
    for name in tools:
        if f"{said} ".startswith(f"{name} "):
            argument = said.removeprefix(name).split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    inside = any(f" {name} " in f" {said} " for name in tools)
    return Action("error", "not alone") if inside else Action("answer", said)


def parse_action__parts_of_words(text, tools):
    """You find a name also where it is only the beginning or the end of a word: `asks` is not the tool `ask`, nor
    is `mask`. Compare whole words, or put a space behind both the text and the name (and one in front, further
    back)."""
    said = " ".join(text.split())
    if not said or any(word in MARKS for word in said.split()):
        return Action("error", "forged" if said else "empty")
    for name in tools:
        if said.startswith(name):
            argument = said.removeprefix(name).removesuffix(" .").split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    inside = any(name in said for name in tools)
    return Action("error", "not alone") if inside else Action("answer", said)


def parse_action__names_of_one_word(text, tools):
    """You compare the first word of the text with the tools' names. A name may have several words, as `look up
    rule` has: see whether the text begins with the whole name."""
    words = text.split()
    if not words or any(word in MARKS for word in words):
        return Action("error", "forged" if words else "empty")
    if words[0] in tools:
        argument = words[1:-1] if words[-1] == "." else words[1:]
        problem = "two arguments" if argument else "no argument"
        return Action(words[0], argument[0]) if len(argument) == 1 else Action("error", problem)
    inside = any(name in words for name in tools)
    return Action("error", "not alone") if inside else Action("answer", " ".join(words))


def parse_action__fails_on_nothing(text, tools):
    """You take the first word of a text that has none, and that is an exception. A model may write nothing at
    all, and the loop around it must not break: it is the error "empty"."""
    words = text.split()
    said = " ".join([words[0], *words[1:]])
    if any(word in MARKS for word in words):
        return Action("error", "forged")
    for name in tools:
        if f"{said} ".startswith(f"{name} "):
            argument = said.removeprefix(name).removesuffix(" .").split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    inside = any(f" {name} " in f" {said} " for name in tools)
    return Action("error", "not alone") if inside else Action("answer", said)


def parse_action__chatter_taken_for_an_answer(text, tools):
    """A text that speaks first and then calls a tool is an answer to you, and would be sent to whoever asked:
    "let me see . look up rule roof". It is the error "not alone", so that the model can call again."""
    said = " ".join(text.split())
    if not said or any(word in MARKS for word in said.split()):
        return Action("error", "forged" if said else "empty")
    for name in tools:
        if f"{said} ".startswith(f"{name} "):
            argument = said.removeprefix(name).removesuffix(" .").split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    return Action("answer", said)


def parse_action__answers_lose_their_full_stop(text, tools):
    """You drop the full stop of answers too. It is dropped behind a tool's argument, where it is no part of what
    is looked up; an answer is handed over with all its words."""
    said = " ".join(text.split())
    if not said or any(word in MARKS for word in said.split()):
        return Action("error", "forged" if said else "empty")
    said = said.removesuffix(" .")
    for name in tools:
        if f"{said} ".startswith(f"{name} "):
            argument = said.removeprefix(name).split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    inside = any(f" {name} " in f" {said} " for name in tools)
    return Action("error", "not alone") if inside else Action("answer", said)


def agent_loop__last_step_not_recorded(write, tools, question, max_steps):
    """You return the answer without recording the step that gave it. Who reads the record should see every turn
    of the model, the last one too, with "" for what it read afterwards."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, steps)
        done, observation = "", f"error : {text}"
        if kind != "error":
            done = f"{kind} {text} "
            try:
                observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__tools_may_write_marks(write, tools, question, max_steps):
    """You hand on what a tool says as it is, marks included. A document in which somebody has written `<a>` then
    speaks in the desk's own voice: an observation goes through `without_marks`."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        done, observation = "", f"error : {text}"
        if kind != "error":
            done = f"{kind} {text} "
            try:
                observation = tools[kind](text)
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__memory_of_one_step(write, tools, question, max_steps):
    """Your prompt is the question and the latest step: what was found before is forgotten. The model remembers
    nothing between two calls; all it knows of its past is what stands in the prompt, so let that grow."""
    asked, steps = f"{QUESTION} {question} {ANSWER}", []
    prompt = asked
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        done, observation = "", f"error : {text}"
        if kind != "error":
            done = f"{kind} {text} "
            try:
                observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{asked} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__own_calls_not_in_the_prompt(write, tools, question, max_steps):
    """Your prompt has what the tools said, and not what they were asked. Then the model does not see that it has
    looked something up already, and asks again. Write the call in front of its observation."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        observation = f"error : {text}"
        if kind != "error":
            try:
                observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__every_exception_swallowed(write, tools, question, max_steps):
    """You catch every exception of a tool. A LookupError means that nothing was found; a TypeError means that the
    tool is broken, and the model should not be told "not found" about that, nor should you never hear of it."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        done, observation = "", f"error : {text}"
        if kind != "error":
            done = f"{kind} {text} "
            try:
                observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
            except Exception:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__not_found_is_fatal(write, tools, question, max_steps):
    """You let a LookupError of a tool go its way, and the run is over. That something is not there is an answer
    too, and the model may have a better idea: `except LookupError`, and the observation is `error : not
    found`."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        done, observation = "", f"error : {text}"
        if kind != "error":
            done = f"{kind} {text} "
            observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
        steps.append(Step(action, observation))
        prompt = f"{prompt} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__first_error_ends_it(write, tools, question, max_steps):
    """You give up at the first text that cannot be read. The model gets to see what was wrong with it, as an
    observation, and has its other steps to do better."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        if kind == "error":
            return Run(None, [*steps, Step(action, f"error : {text}")])
        try:
            observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
        except LookupError:
            observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {kind} {text} {DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__one_step_too_many(write, tools, question, max_steps):
    """You let the model write `max_steps + 1` texts: the answer too is a step. After the last one that is allowed
    nothing more is written."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps + 1):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        done, observation = "", f"error : {text}"
        if kind != "error":
            done = f"{kind} {text} "
            try:
                observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__errors_repeated_as_calls(write, tools, question, max_steps):
    """After an error your prompt says `error forged <d> error : forged`, as if `error` were a tool that the model
    had called. It sees such words and learns to write them. After an error only the observation is added."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        observation = f"error : {text}"
        if kind != "error":
            try:
                observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {kind} {text} {DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def agent_loop__last_words_taken_for_the_answer(write, tools, question, max_steps):
    """When the steps are used up you take the last observation for the answer. Nobody has answered: it is None,
    and whoever called can say so, or ask a colleague. A document is not an answer."""
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    observation = None
    for _ in range(max_steps):
        said = " ".join(write(prompt).split())
        tool = next((name for name in tools if f"{said} ".startswith(f"{name} ")), "")
        words = said.removeprefix(tool).removesuffix(" .").split()
        action = Action("answer", said)
        if not said or any(word in MARKS for word in said.split()):
            action = Action("error", "forged" if said else "empty")
        elif tool and len(words) == 1:
            action = Action(tool, words[0])
        elif any(f" {name} " in f" {said} " for name in tools):
            count = "two arguments" if words else "no argument"
            action = Action("error", count if tool else "not alone")
        kind, text = action
        if kind == "answer":
            return Run(text, [*steps, Step(action, "")])
        done, observation = "", f"error : {text}"
        if kind != "error":
            done = f"{kind} {text} "
            try:
                observation = " ".join(word for word in tools[kind](text).split() if word not in MARKS)
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(observation, steps)


def pass_at_k__drawn_with_putting_back(samples, correct, k):
    """You take 1 - (1 - c/n)^k, as if every try were put back before the next is drawn. On average over many
    experiments that is too small: k different ones of n hold a right one more often. Count the ways to draw k
    failures without putting any back."""
    return 1 - (1 - correct / samples) ** k


def pass_at_k__all_of_them_right(samples, correct, k):
    """You compute how likely it is that all k tries work. One is enough: it is 1 minus the chance that all of
    them fail."""
    return math.comb(correct, k) / math.comb(samples, k)


def pass_at_k__chance_to_fail(samples, correct, k):
    """That is the chance that none of the k tries works. Take it from 1."""
    return math.comb(samples - correct, k) / math.comb(samples, k)


def pass_at_k__k_times_the_share(samples, correct, k):
    """You multiply the share of right tries by k. Chances of several tries do not add up: two may be right at
    once, and then they are counted twice. With k large enough you get more than 1."""
    return k * correct / samples


def pass_at_k__k_not_used(samples, correct, k):
    """You return the share of right tries, and never look at k. That is pass@1; with more tries there are more
    chances."""
    return correct / samples


def pass_at_k__numbers_too_large(samples, correct, k):
    """Your formula is right, and its numbers are too large for floats: of 10,000 things one can choose 5,000 in
    more than 10^3000 ways. Divide whole numbers by whole numbers, or multiply small quotients one after the
    other."""
    return 1 - float(math.comb(samples - correct, k)) / float(math.comb(samples, k))


def cost_per_answer__last_token_read_too(prompt, answer, parameters, layers, d_model, price, cached=0):
    """You also let the model read the last token of the answer. It is written, and then nothing is asked any
    more: `prompt + answer - 1` tokens are read."""
    flops = sum(2 * parameters + 4 * layers * d_model * t for t in range(cached + 1, prompt + answer + 1))
    return Cost(prompt + answer, flops, price * flops / 1e15)


def cost_per_answer__values_forgotten(prompt, answer, parameters, layers, d_model, price, cached=0):
    """Your attention costs half as much as it should: 2 L d t. That is the making of the scores; then the values
    are mixed, which costs as much again."""
    flops = sum(2 * parameters + 2 * layers * d_model * t for t in range(cached + 1, prompt + answer))
    return Cost(prompt + answer, flops, price * flops / 1e15)


def cost_per_answer__one_operation_a_weight(prompt, answer, parameters, layers, d_model, price, cached=0):
    """You count one operation for each weight. A weight is multiplied by something, and the product is added to a
    sum: that is two."""
    flops = sum(parameters + 4 * layers * d_model * t for t in range(cached + 1, prompt + answer))
    return Cost(prompt + answer, flops, price * flops / 1e15)


def cost_per_answer__prompt_for_nothing(prompt, answer, parameters, layers, d_model, price, cached=0):
    """You count the tokens that are written, and not those of the prompt. The prompt has to be read too, and it
    is often the longer part: that is why examples and passages cost something."""
    flops = sum(2 * parameters + 4 * layers * d_model * t for t in range(prompt + 1, prompt + answer))
    return Cost(prompt + answer, flops, price * flops / 1e15)


def cost_per_answer__cached_tokens_not_looked_at(
    prompt, answer, parameters, layers, d_model, price, cached=0
):
    """You count t from the first token that is not cached. But the new tokens look back at the cached ones too,
    whose keys and values are kept for that: t is the place in the whole text."""
    read = range(1, prompt + answer - cached)
    flops = sum(2 * parameters + 4 * layers * d_model * t for t in read)
    return Cost(prompt + answer, flops, price * flops / 1e15)


def cost_per_answer__everyone_looks_at_everything(
    prompt, answer, parameters, layers, d_model, price, cached=0
):
    """You let every token look at the whole text. Token t looks back at t tokens, itself included; those to come
    are not there yet."""
    read = prompt + answer - 1
    flops = (read - cached) * (2 * parameters + 4 * layers * d_model * read)
    return Cost(prompt + answer, flops, price * flops / 1e15)


def cost_per_answer__attention_forgotten(prompt, answer, parameters, layers, d_model, price, cached=0):
    """You count the weights alone. That is nearly all as long as texts are short; but every token also looks back
    at all the ones before it, 4 L d t, and that grows with the text."""
    flops = 2 * parameters * (prompt + answer - 1 - cached)
    return Cost(prompt + answer, flops, price * flops / 1e15)


def cost_per_answer__cached_tokens_not_there(prompt, answer, parameters, layers, d_model, price, cached=0):
    """You take the cached tokens out of the number of tokens. They need no computing now, but they take room in
    the context as before: `tokens` are those of prompt and answer."""
    flops = sum(2 * parameters + 4 * layers * d_model * t for t in range(cached + 1, prompt + answer))
    return Cost(prompt + answer - cached, flops, price * flops / 1e15)


def cost_per_answer__price_of_one_operation(prompt, answer, parameters, layers, d_model, price, cached=0):
    """You multiply the price by the number of FLOPs. It is the price of 10^15 of them: divide by that, or an
    answer costs more than the village."""
    flops = sum(2 * parameters + 4 * layers * d_model * t for t in range(cached + 1, prompt + answer))
    return Cost(prompt + answer, flops, price * flops)


def cost_per_answer__read_again_every_time(prompt, answer, parameters, layers, d_model, price, cached=0):
    """You let the model read the whole text again for every token that it writes. Keys and values of what was
    read are kept (chapter 4, `cached_attention_step`), so each token is read once."""
    flops = sum(
        2 * parameters + 4 * layers * d_model * t
        for written in range(answer)
        for t in range(cached + 1, prompt + written + 1)
    )
    return Cost(prompt + answer, flops, price * flops / 1e15)


def break_even__half_an_answer(training, long, short):
    """You return a number of answers that is not whole. Nobody asks half a question: round up to the first whole
    number at which the inequality holds."""
    if training == 0:
        return 0.0
    return training / (long - short) if long > short else math.inf


def break_even__rounded_down(training, long, short):
    """You round down, and after so many answers the training is not yet paid for. Round up: `math.ceil`."""
    if training == 0:
        return 0.0
    return float(training // (long - short)) if long > short else math.inf


def break_even__one_too_many(training, long, short):
    """Where the sum comes out exactly you take one answer more. At that point both ways cost the same, and "at
    most" is fulfilled: `math.ceil` does not round up what is whole."""
    if training == 0:
        return 0.0
    return float(training // (long - short) + 1) if long > short else math.inf


def break_even__rounded_to_the_nearest(training, long, short):
    """You round to the nearest whole number, which may lie below the point where it pays. Round up:
    `math.ceil`."""
    if training == 0:
        return 0.0
    return float(round(training / (long - short))) if long > short else math.inf


def break_even__short_ones_are_free(training, long, short):
    """You divide the price of the training by that of a long answer, as if the tuned model answered for nothing.
    What is saved by each answer is `long - short`."""
    if training == 0:
        return 0.0
    return float(math.ceil(training / long)) if long > short else math.inf


def break_even__never_is_not_expected(training, long, short):
    """You divide without asking whether anything is saved. If both answers cost the same that is a division by 0,
    and if the tuned model's cost more, a negative number of answers. It never pays then: `math.inf`."""
    if training == 0:
        return 0.0
    return float(math.ceil(training / (long - short)))


def break_even__even_if_it_was_free(training, long, short):
    """You say "never" although the training cost nothing. After no answers at all neither way has cost anything,
    and 0 is at most 0."""
    return float(math.ceil(training / (long - short))) if long > short else math.inf


# End of the misconceptions of this chapter.
