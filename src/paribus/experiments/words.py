"""Words of a requirement, an event or a segment brought to their stems, so that they can be compared.

Deterministic and small on purpose: plural and verb endings fall, a few words of the field are taken for each other, and
words that say nothing about what is meant are left out.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


STOP = _listed(
    """a an and are as at be been by can do for from has have if in into is it its of on or our so than that the their
    them then there these they this to was we when where which who will with without you your i want need please let
    lets user users customer customers visitor visitors people person everyone all any some via per"""
)
# Words that a wish can consist of without saying what is built.
VAGUE = _listed(
    """improve improvement improved better best good great nice more less make making made optimize optimise
    optimization enhance enhancement increase decrease boost grow growth raise lift reduce fix feature features
    product products app application website site thing things stuff something anything experience ux ui conversion
    conversions revenue sales engagement retention performance quality metric metrics kpi easier simple
    simpler cool modern awesome test todo tbd foo bar"""
)
# What an event name says about itself and not about its subject.
GENERIC = _listed("click view start complet submit show open add tap event page session track seen finish one two")
_SAME = {
    "purchas": "order",
    "buy": "order",
    "bought": "order",
    "basket": "cart",
    "bag": "cart",
    "payment": "pay",
    "paid": "pay",
    "signin": "login",
    "logon": "login",
    "signup": "regist",
    "registration": "regist",
    "phone": "mobil",
    "smartphon": "mobil",
    "repeat": "return",
    "refunded": "refund",
}


def pieces(text: str) -> tuple[str, ...]:
    """The words of a text or of an identifier, in lower case.

    >>> pieces("one-click checkout"), pieces("checkoutStarted"), pieces("$page_view")
    (('one', 'click', 'checkout'), ('checkout', 'started'), ('page', 'view'))
    >>> pieces("Commande passée")
    ('commande', 'passée')
    """
    return tuple(word.lower() for word in _PIECE.findall(text.replace("'s", "").replace("\u2019s", "")))


def stem(word: str) -> str:
    """A word without its plural or verb ending; words of the field that mean the same have one stem.

    >>> [stem(w) for w in ("submitted", "returning", "users", "categories", "mobile", "payments")]
    ['submit', 'return', 'user', 'categori', 'mobil', 'pay']
    """
    word = word.lower()
    if word in _SAME:
        return _SAME[word]
    bare = word
    if len(bare) > 3 and bare.endswith("s") and not bare.endswith(("ss", "us", "is")):
        bare = bare[:-1]
    for ending in ("ing", "ed"):
        if len(bare) - len(ending) >= 3 and bare.endswith(ending) and re.search("[aeiouy]", bare[: -len(ending)]):
            bare = bare[: -len(ending)]
            if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "lsz":
                bare = bare[:-1]
            break
    if len(bare) > 3 and bare.endswith("y"):
        bare = bare[:-1] + "i" if bare[-2] not in "aeiou" else bare
    if len(bare) > 3 and bare.endswith("ie"):
        bare = bare[:-1]
    if len(bare) > 4 and bare.endswith("e"):
        bare = bare[:-1]
    return _SAME.get(bare, bare)


def stems(text: str) -> tuple[str, ...]:
    """The stems of the words that mean something, in order, each once.

    >>> stems("One-click checkout for returning mobile users")
    ('one', 'click', 'checkout', 'return', 'mobil')
    """
    return tuple(dict.fromkeys(stem(word) for word in pieces(text) if word not in STOP))


def subjects(text: str) -> tuple[str, ...]:
    """The stems that say what something is about: those of `stems` that are not generic.

    >>> subjects("checkout_started"), subjects("one-click checkout")
    (('checkout',), ('checkout',))
    """
    return tuple(each for each in stems(text) if each not in GENERIC)


def target(text: str) -> str:
    """The part of a requirement after its last "for": whom it is meant for; empty where it does not say.

    >>> target("one-click checkout for returning mobile users")
    'returning mobile users'
    """
    head, found, tail = text.rpartition(" for ")
    return tail.strip() if found and head.strip() else ""
