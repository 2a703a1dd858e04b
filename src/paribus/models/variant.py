"""Versions of a model as variants of a flag: the experiment compares them as it compares anything else."""

from __future__ import annotations

from collections.abc import Mapping

from paribus.errors import DefinitionError
from paribus.models.chain import Answer, Chain, Row


class VariantModels:
    """A chain for each variant.

    Args:
        chains: by variant.
        control: the variant whose chain also answers for a variant that is not known.

    Raises:
        DefinitionError: control has no chain.
    """

    def __init__(self, chains: Mapping[str, Chain], control: str) -> None:
        if control not in chains:
            raise DefinitionError(
                f"the variant {control!r} has no model", where="models", rule="control answers for every other variant"
            )
        self.chains = dict(chains)
        self.control = control

    def answer(self, variant: str | None, row: Row) -> Answer:
        """The score that the unit's variant gives."""
        return self.chains.get(variant or self.control, self.chains[self.control]).answer(row)

    def close(self) -> None:
        """Ends all workers."""
        for chain in self.chains.values():
            chain.close()
