"""The shop's pages as HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape

from checkout import Cart, Product

STYLE = "body{font:18px/1.5 sans-serif;max-width:40em;margin:2em auto}li{margin:.5em 0}[hidden]{display:none}"


def whole(title: str, body: str, settings: Mapping[str, str]) -> str:
    """A page with the browser SDK and its settings."""
    given = escape(json.dumps(settings))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        '<link rel="icon" href="data:,">'
        f'<body data-settings="{given}"><p id="banner" hidden><a href="#shipping">Free shipping today</a></p>'
        f"<h1>{escape(title)}</h1>{body}"
        '<script src="/sdk/paribus.iife.js"></script><script src="/assets/shop.js"></script></body></html>'
    )


def catalog(products: Iterable[Product]) -> str:
    """Each product with a button that puts it into the cart."""
    lines = "".join(
        f'<li>{escape(product.name)} {_price(product.cents)} <form method="post" action="/cart" style="display:inline">'
        f'<button name="sku" value="{escape(product.sku)}">Add</button></form></li>'
        for product in products
    )
    return f"<ul>{lines}</ul>"


def cart(found: Cart, *, is_new: bool) -> str:
    """The cart, and the button that orders: of one word, or of the new kind."""
    lines = "".join(f"<li>{escape(product.name)} {_price(product.cents)}</li>" for product in found.products)
    label = f"Buy now for {_price(found.cents)}" if is_new else "Order"
    form = f'<form method="post" action="/checkout"><button id="order">{label}</button></form>'
    return f'<ul>{lines}</ul>{form}<p><a id="more" href="/">More tea</a></p>'


def thanks() -> str:
    """A word after the order."""
    return '<p>Your tea is on its way.</p><p><a href="/">Back to the shop</a></p>'


def _price(cents: int) -> str:
    return f"€{cents / 100:.2f}"
