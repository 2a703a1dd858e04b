"""Data contracts of tables in the Open Data Contract Standard (ODCS) version 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paribus.errors import DefinitionError

if TYPE_CHECKING:
    from open_data_contract_standard.model import DataQuality, OpenDataContractStandard, SchemaProperty

VERSION = "v3.1.0"
LOGICAL = {
    "VARCHAR": "string",
    "BIGINT": "integer",
    "INTEGER": "integer",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMPTZ": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
CLASSIFICATION = {"none": "public", "pseudonymous": "internal", "personal": "confidential", "sensitive": "restricted"}


@dataclass(frozen=True, slots=True)
class ColumnTerms:
    """What a contract promises about a column."""

    name: str
    type: str
    description: str = ""
    required: bool = False
    unique: bool = False
    key_position: int = 0
    personal: str = "none"
    purpose: str = ""
    values: tuple[str, ...] = ()
    refers_to: str = ""
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableTerms:
    """What a contract promises about a table."""

    name: str
    description: str
    grain: str
    owner: str
    retention_days: int
    freshness_seconds: float | None
    columns: Sequence[ColumnTerms]


def contract(
    table: TableTerms, *, product: str, version: str = "1.0.0", servers: Mapping[str, str] | None = None
) -> OpenDataContractStandard:
    """The contract of one table.

    Args:
        table: its terms.
        product: the data product it belongs to.
        version: of the contract; a breaking change raises the first number.
        servers: paths of Parquet files by environment.
    """
    from open_data_contract_standard.model import (
        CustomProperty,
        Description,
        OpenDataContractStandard,
        SchemaObject,
        Server,
        ServiceLevelAgreementProperty,
        Team,
        TeamMember,
    )

    places = sorted((servers or {}).items())
    terms = [
        ServiceLevelAgreementProperty(property="retention", value=table.retention_days, unit="d"),
        ServiceLevelAgreementProperty(property="generalAvailability", value="always", driver="analytics"),
    ]
    if table.freshness_seconds is not None:
        terms.append(ServiceLevelAgreementProperty(property="latency", value=table.freshness_seconds, unit="s"))
    return OpenDataContractStandard(
        apiVersion=VERSION,
        kind="DataContract",
        id=f"urn:paribus:contract:{product}:{table.name}",
        name=table.name,
        version=version,
        status="active",
        dataProduct=product,
        domain="experimentation",
        description=Description(purpose=table.description, usage=f"One row is {table.grain}."),
        team=Team(name=table.owner, members=[TeamMember(username=table.owner, role="owner")]),
        servers=[Server(server=name, type="local", path=path, format="parquet") for name, path in places] or None,
        slaProperties=terms,
        schema=[
            SchemaObject(
                name=table.name,
                physicalName=table.name,
                physicalType="table",
                logicalType="object",
                description=table.description,
                dataGranularityDescription=table.grain,
                properties=[_property(column) for column in table.columns],
                customProperties=[CustomProperty(property="retentionDays", value=table.retention_days)],
            )
        ],
    )


def contract_yaml(made: OpenDataContractStandard) -> str:
    """The contract as the YAML text that other tools read."""
    return str(made.to_yaml())


def read_contract(text: str) -> OpenDataContractStandard:
    """A contract from its YAML text.

    Raises:
        DefinitionError: it breaks the standard's model.
    """
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    try:
        return OpenDataContractStandard.from_string(text)
    except (ValidationError, ValueError) as error:
        raise DefinitionError(
            f"this is no data contract: {str(error).splitlines()[0]}", rule=f"Open Data Contract Standard {VERSION}"
        ) from error


def _property(column: ColumnTerms) -> SchemaProperty:
    from open_data_contract_standard.model import CustomProperty, SchemaProperty

    return SchemaProperty(
        name=column.name,
        physicalName=column.name,
        physicalType=column.type,
        logicalType=LOGICAL.get(column.type, "string"),
        description=column.description,
        required=column.required,
        unique=column.unique or None,
        primaryKey=True if column.key_position else None,
        primaryKeyPosition=column.key_position or None,
        classification=CLASSIFICATION[column.personal],
        criticalDataElement=column.required or None,
        transformSourceObjects=list(column.inputs) or None,
        quality=_quality(column) or None,
        customProperties=[
            CustomProperty(property="personal", value=column.personal),
            *([CustomProperty(property="purpose", value=column.purpose)] if column.purpose else []),
            *([CustomProperty(property="refersTo", value=column.refers_to)] if column.refers_to else []),
        ],
    )


def _quality(column: ColumnTerms) -> list[DataQuality]:
    from open_data_contract_standard.model import DataQuality

    rules = []
    if column.required:
        rules.append(DataQuality(type="library", metric="nullValues", mustBe=0, dimension="completeness"))
    if column.unique:
        rules.append(DataQuality(type="library", metric="duplicateValues", mustBe=0, dimension="uniqueness"))
    if column.values:
        rules.append(
            DataQuality(
                type="library",
                metric="invalidValues",
                mustBe=0,
                dimension="conformity",
                arguments={"validValues": list(column.values)},
            )
        )
    return rules
