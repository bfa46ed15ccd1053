"""One entry of a plan: a source, the items that its rows become, and how. Immutable, checked when built."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.templates import parse_template


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def null_is_a_word(value: Any) -> Any:
    """Return the word for YAML's null, which plans may write without quotes."""
    # Only what the plan says is validated, so that None is YAML's null here and never a default.
    return "null" if value is None else value


Unfit: TypeAlias = Annotated[
    Literal["error", "text", "null", "skip", "quarantine"],
    Field(
        description="What happens to a value that DynamoDB cannot hold. `error`: the row is kept back in quarantine and"
        " the run ends as failed. `quarantine`: the same, and the run may end well. `text`: it is written as"
        " PostgreSQL's text. `null`: as if it were NULL. `skip`: the row is left out."
    ),
]
Nulls: TypeAlias = Annotated[
    Literal["absent", "null"],
    Field(description="How NULL is written: not at all, or as DynamoDB's NULL."),
]
Columns: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1)]


def _source_name(text: str) -> str:
    try:
        parse_table_name(text)
    except ValueError:
        # Not repeated: it may be what a variable holds.
        raise ValueError('write schema.table, a part that has a dot or a quote in it as "part"') from None
    return text


SourceText: TypeAlias = Annotated[str, AfterValidator(_source_name)]


def _entries(value: Any) -> Any:
    """Return the entries of a map and their columns: a list of columns names the entries by them."""
    if not isinstance(value, list):
        return value
    if not all(isinstance(column, str) for column in value):
        raise ValueError("columns are text: write in quotes what YAML reads as a number, a date, or true or false")
    if repeated := repeated_in(value):
        raise ValueError(f"{', '.join(repeated)} stands more than once")
    return {column: column for column in value}


MapEntries: TypeAlias = Annotated[
    dict[str, str],
    Field(min_length=1),
    BeforeValidator(_entries),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
                {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
            ]
        }
    ),
]


class Key(Frozen):
    """The attributes that are the table's key."""

    hash: str = Field(description="The attribute that is the partition key.")
    range: str | None = Field(default=None, description="The attribute that is the sort key.")


class Index(Frozen):
    """A secondary index with projection ALL: global, or local when it has the table's hash and its own range."""

    name: str = Field(description="The index's name in DynamoDB.")
    hash: str = Field(description="The attribute that is the index's partition key.")
    range: str | None = Field(default=None, description="The attribute that is the index's sort key.")
    local: bool = Field(default=False, description="A local index: the table's hash with another sort key.")


class AttributeRule(Frozen):
    """What an attribute is, when it is not simply a column: one of `sql`, `template` and `as`, or a policy alone."""

    sql: str | None = Field(default=None, description="SQL over the row that gives the attribute.")
    back: str | None = Field(
        default=None, description="SQL over the attributes that gives the column of the same name back."
    )
    template: str | None = Field(
        default=None, description="Text with columns in braces, e.g. TENANT#{tenant_id}; {column:sort} keeps the order."
    )
    as_: Literal["text"] | None = Field(
        default=None, alias="as", description="`text`: PostgreSQL's text of the value, whatever its type."
    )
    unfit: Unfit | None = Field(default=None, description="As the plan's, for this attribute. Default: the entry's.")
    nulls: Nulls | None = Field(default=None, description="As the plan's, for this attribute. Default: the entry's.")

    _words = field_validator("unfit", "nulls", mode="before")(null_is_a_word)

    @model_validator(mode="after")
    def _is_one_thing(self) -> AttributeRule:
        ways = [name for name in ("sql", "template", "as") if getattr(self, "as_" if name == "as" else name)]
        if len(ways) > 1:
            raise ValueError(f"an attribute is {' or '.join(ways)}, not both")
        if self.back and not self.sql:
            raise ValueError("`back` belongs to `sql`")
        if not ways and self.unfit is None and self.nulls is None:
            raise ValueError("say sql, template, as, unfit or nulls")
        return self

    @field_validator("template")
    @classmethod
    def _template_is_well_formed(cls, text: str | None) -> str | None:
        if text is not None:
            parse_template(text)
        return text


class Lookup(Frozen):
    """Columns of another table's one row that belongs to this row, as attributes."""

    from_: SourceText = Field(alias="from", description="The table to look in.")
    on: dict[str, str] = Field(min_length=1, description="Its columns, each with the column here that it equals.")
    attributes: dict[str, str] = Field(min_length=1, description="Attributes, each with the column there.")

    @property
    def source(self) -> TableName:
        """The table to look in; a name without schema is in `public`."""
        return parse_table_name(self.from_)


class Ttl(Frozen):
    """An attribute that tells DynamoDB when an item may go, from a timestamp."""

    attribute: str = Field(description="The attribute: whole seconds since 1970.")
    from_: str = Field(alias="from", description="The date or timestamp column.")


class Chosen(Frozen):
    """Which columns become attributes, under which names, and how: alike for rows and for embedded rows."""

    columns: Columns | None = Field(default=None, description="Only these columns become attributes. Default: all.")
    leave_out: tuple[str, ...] = Field(default=(), description="All columns but these become attributes.")
    rename: dict[str, str] = Field(default_factory=dict, description="Columns, each with the name of its attribute.")
    attributes: dict[str, AttributeRule] = Field(default_factory=dict, description="Attributes that need a rule.")
    embed: dict[str, Embed] = Field(
        default_factory=dict, description="Attributes that hold rows of other tables which belong to this row."
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _columns_are_there(cls, columns: Any) -> Any:
        if not columns:
            raise ValueError("name at least the columns of the key, or leave `columns` out for all columns")
        return columns

    @field_validator("columns", "leave_out")
    @classmethod
    def _no_column_twice(cls, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if repeated := repeated_in(columns or ()):
            raise ValueError(f"{', '.join(repeated)} stands more than once")
        return columns

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Chosen:
        if self.columns is not None and self.leave_out:
            raise ValueError("say `columns` or `leave_out`, not both")
        return self


class Embed(Chosen):
    """Rows of another table that belong to this row, as a list of maps, or as one map."""

    from_: SourceText = Field(alias="from", description="The table whose rows are embedded.")
    on: dict[str, str] = Field(min_length=1, description="Its columns, each with the column here that it equals.")
    one: bool = Field(default=False, description="There is at most one such row: a map, not a list.")
    order_by: tuple[str, ...] = Field(default=(), description="The list's order. Default: the table's identity.")
    at_most: int = Field(default=10_000, ge=1, le=100_000, description="A row to which more belong is refused.")
    where: str | None = Field(default=None, description="SQL: only these rows are embedded.")

    @property
    def source(self) -> TableName:
        """The table whose rows are embedded; a name without schema is in `public`."""
        return parse_table_name(self.from_)


class TablePlan(Chosen):
    """One source and the items that its rows become. A column becomes the attribute of its name, unless told otherwise.

    `name` is what journal, reports and exports know the entry by: the source's name unless another is given, as
    every further entry of one source needs.
    """

    name: str = Field(default="", description="The entry's own name. Default: the source's.")
    from_: SourceText = Field(alias="from", description="schema.table; without a schema it is public.")
    to: str = Field(description="The DynamoDB table. Entries may share one when their keys cannot meet.")
    key: Key = Field(description="The key of the DynamoDB table; it must hold a unique key of the source.")
    identity: Columns | None = Field(
        default=None, description="Columns that tell rows apart. Default: the primary key, else a unique index."
    )
    where: str | None = Field(default=None, description="SQL: only these rows become items.")
    indexes: tuple[Index, ...] = Field(default=(), description="Secondary indexes of the DynamoDB table.")
    constants: dict[str, StrictStr | StrictBool | StrictInt] = Field(
        default_factory=dict, description="Attributes that every item has, each with its value."
    )
    maps: dict[str, MapEntries] = Field(
        default_factory=dict,
        description="Attributes that are maps, each with its entries and their columns; a list of columns names the"
        " entries by them.",
    )
    lookups: tuple[Lookup, ...] = Field(default=(), description="Attributes from rows that this row refers to.")
    ttl: Ttl | None = Field(default=None, description="The attribute that tells DynamoDB when an item may go.")
    unfit: Unfit | None = Field(default=None, description="As the plan's, for this entry. Default: the plan's.")
    nulls: Nulls | None = Field(default=None, description="As the plan's, for this entry. Default: the plan's.")
    schema_: str | None = Field(
        default=None,
        alias="schema",
        pattern="^[0-9a-f]{12}$",
        description="The fingerprint of the source's columns when the plan was made: when they change, nothing runs.",
    )

    _words = field_validator("unfit", "nulls", mode="before")(null_is_a_word)

    @property
    def source(self) -> TableName:
        """The source; a name without schema is in `public`."""
        return parse_table_name(self.from_)

    @property
    def named(self) -> bool:
        """Whether the entry has a name of its own."""
        return self.name != str(self.source)

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_source(cls, data: Any) -> Any:
        source = data.get("from") if isinstance(data, Mapping) else None
        try:
            return {"name": str(parse_table_name(source)), **data} if isinstance(source, str) else data
        except ValueError:
            return data  # `from` says what is wrong

    @model_validator(mode="after")
    def _name_is_plain(self) -> TablePlan:
        if self.named and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", self.name) is None:
            raise ValueError("a name has up to 64 letters, digits and _ . -, and begins with a letter or digit")
        return self


def repeated_in(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def parse_table_name(text: str) -> TableName:
    """Split `schema.table`; parts may be double-quoted. Without a schema it is `public`.

    Raises ValueError when it is neither.
    """
    part = r'"((?:[^"]|"")+)"|([^".]+)'
    match = re.fullmatch(rf"(?:(?:{part})\.)?(?:{part})", text)
    if match is None:
        raise ValueError(f"{text} is not a table name: write schema.table")
    quoted_schema, schema, quoted_name, name = match.groups()
    return TableName(_unquote(quoted_schema, schema) or "public", _unquote(quoted_name, name))


def _unquote(quoted: str | None, plain: str | None) -> str:
    return quoted.replace('""', '"') if quoted else plain or ""
