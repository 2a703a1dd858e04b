"""Products, carts and orders of the shop."""

from __future__ import annotations

from dataclasses import dataclass, field

from paribus_sdk import Client


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy."""

    sku: str
    name: str
    cents: int


PRODUCTS = {
    product.sku: product
    for product in (
        Product("tea", "Assam tea", 890),
        Product("cup", "Blue cup", 1450),
        Product("pot", "Cast-iron pot", 5900),
        Product("tin", "Tea tin", 690),
    )
}


@dataclass
class Cart:
    """What a visitor wants."""

    products: list[Product] = field(default_factory=list)

    def add(self, product: Product) -> None:
        self.products.append(product)

    @property
    def cents(self) -> int:
        return sum(product.cents for product in self.products)


def complete(client: Client, visitor: str, cart: Cart) -> str:
    """The variant that the order was completed in; the order is recorded."""
    variant = client.variant("new-checkout", unit=visitor)
    client.track("order_completed", visitor, revenue=cart.cents / 100, products=len(cart.products))
    return variant
