"""A small shop that decides with flags and tells what happens: the service, on FastAPI and the Python SDK.

PARIBUS_URL, PARIBUS_KEY   the server, and a key of server scope
SHOP_PAGE_KEY              a key of client scope, for the page
SHOP_SDK                   folder of the browser SDK's build
"""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pages
from checkout import PRODUCTS, Cart, complete
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from paribus_sdk import Client
from paribus_sdk.middleware.asgi import ParibusMiddleware

HERE = Path(__file__).parent
SDK = Path(os.environ.get("SHOP_SDK", HERE.parents[1] / "sdk" / "browser" / "dist"))
VISITOR = "visitor"

client = Client()
carts: dict[str, Cart] = defaultdict(Cart)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    client.ready(10)
    yield
    client.close()
    print(f"sent {client.stats.sent} events, dropped {client.stats.dropped}", flush=True)


app = FastAPI(lifespan=lifespan)
app.add_middleware(ParibusMiddleware, client=client, unit=f"cookie:{VISITOR}")
app.mount("/sdk", StaticFiles(directory=SDK))
app.mount("/assets", StaticFiles(directory=HERE / "assets"))


@app.get("/")
def catalog(request: Request) -> HTMLResponse:
    """The products, in the order of the visitor's variant."""
    visitor = request.cookies.get(VISITOR) or str(uuid.uuid4())
    by_price = client.variant("catalog-order", unit=visitor) == "treatment"
    products = sorted(PRODUCTS.values(), key=lambda product: product.cents if by_price else product.name)
    answer = page(visitor, "Catalog", pages.catalog(products))
    answer.set_cookie(VISITOR, visitor, max_age=365 * 86_400, samesite="lax")
    return answer


@app.post("/cart")
async def add(request: Request) -> RedirectResponse:
    """Puts a product into the cart."""
    [sku] = parse_qs((await request.body()).decode())["sku"]
    product = PRODUCTS[sku]
    carts[request.cookies[VISITOR]].add(product)
    client.track("added_to_cart", sku=product.sku, price=product.cents / 100)
    return RedirectResponse("/cart", status_code=303)


@app.get("/cart")
def cart(request: Request) -> HTMLResponse:
    """What is in the cart, and the way to the till that the visitor's variant has."""
    visitor = request.cookies[VISITOR]
    is_new = client.variant("new-checkout") == "treatment"
    return page(visitor, "Cart", pages.cart(carts[visitor], is_new=is_new))


@app.post("/checkout")
def checkout(request: Request) -> RedirectResponse:
    """Takes the order."""
    visitor = request.cookies[VISITOR]
    complete(client, visitor, carts.pop(visitor, Cart()))
    return RedirectResponse("/thanks", status_code=303)


@app.get("/thanks")
def thanks(request: Request) -> HTMLResponse:
    """The end of a visit."""
    return page(request.cookies[VISITOR], "Thank you", pages.thanks())


def page(visitor: str, title: str, body: str) -> HTMLResponse:
    settings = {"url": os.environ["PARIBUS_URL"], "key": os.environ["SHOP_PAGE_KEY"], "unit": visitor}
    return HTMLResponse(pages.whole(title, body, settings))


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8500")), access_log=False)
