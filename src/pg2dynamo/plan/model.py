"""The plan: which table becomes which item, and which column becomes which secret.

Immutable, checked when built. It holds references to secrets (`env:NAME`), never secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.table import (
    Chosen,
    Embed,
    Frozen,
    Nulls,
    SourceText,
    TablePlan,
    Unfit,
    null_is_a_word,
    parse_table_name,
)

RESERVED_SCHEMAS = ("pg_catalog", "information_schema")


def _reference(text: str) -> str:
    if re.fullmatch(r"(optional-)?env:[A-Za-z_][A-Za-z0-9_]*", text) is None:
        raise ValueError(
            "write the name of an environment variable as env:NAME (optional-env:NAME when it may be unset)"
        )
    return text


def _dsn(text: str) -> str:
    if text.startswith("env:"):
        return _reference(text)
    if re.search(r"://[^/@\s]*:[^/@\s]+@", text) or re.search(r"\bpassword\s*=", text, re.IGNORECASE):
        raise ValueError("a plan must not hold a password: write env:DATABASE_URL and set that variable")
    return text


Reference = Annotated[str, AfterValidator(_reference)]
Dsn = Annotated[str, AfterValidator(_dsn)]


class Source(Frozen):
    """Where the rows are. `dsn`: a libpq connection string without password, or `env:NAME`."""

    dsn: Dsn = Field(
        default="env:DATABASE_URL", description="A libpq connection string without password, or `env:NAME`."
    )


class ImportPlan(Frozen):
    """Where `copy --via import` puts the files that DynamoDB imports new tables from.

    They hold rows in plain text: the bucket must not be public. They are removed when the import has been checked.
    """

    bucket: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="The S3 bucket; DynamoDB must be able to read it."
    )
    prefix: str = Field(
        default="pg2dynamo",
        pattern=r"^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*$",
        max_length=200,
        description="What the names of the objects begin with, without a slash at the end.",
    )
    kms_key: str | None = Field(
        default=None, description="The KMS key that encrypts the objects. Default: the bucket's own encryption."
    )


class Target(Frozen):
    """Where the items go. Region, endpoints and profile default to the AWS SDK's own configuration.

    `request_timeout_seconds` bounds one request to DynamoDB; a run that takes over from one that died waits as long.
    """

    region: str | None = Field(
        default=None, description="A region, `env:NAME` or `optional-env:NAME`. Default: the AWS SDK's."
    )
    control_table: str = Field(
        default="pg2dynamo-control", description="The table that progress is kept in; migrations may share it."
    )
    point_in_time_recovery: bool = Field(
        default=True, description="Whether `prepare` switches it on, where the endpoint has it."
    )
    deletion_protection: bool = Field(
        default=True, description="Whether `prepare` switches it on, where the endpoint has it."
    )
    request_timeout_seconds: float = Field(
        default=10.0,
        ge=1,
        le=60,
        description="Bounds one request to DynamoDB; a run that takes over from one that died waits as long.",
    )
    write_units_per_second: int | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="What all processes of a run write at most, indexes included. Default: no limit but DynamoDB's.",
    )
    warm_write_units_per_second: int | None = Field(
        default=None,
        ge=4_000,
        le=10_000_000,
        description="What a table that `prepare` makes, and each of its global indexes, takes from the first second; "
        "AWS charges for it once. Default: DynamoDB's 4,000, and twice the earlier peak after that.",
    )
    count_consumed_units: bool = Field(
        default=False,
        description="Whether each write asks DynamoDB what it used, to keep to `write_units_per_second` by that, "
        "not by the items' sizes alone.",
    )
    import_: ImportPlan | None = Field(
        default=None,
        alias="import",
        description="Where `copy` puts files for DynamoDB to import. Default: every item is written.",
    )


class Decrypt(Frozen):
    """How ciphertext is decrypted: the format, and references to its keys, newest first."""

    format: Literal["fernet", "plaintext"] = Field(
        default="fernet", description="`fernet`, or `plaintext` for what is not encrypted."
    )
    keys: tuple[Reference, ...] = Field(
        default=(), description="References to keys as `env:NAME` or `optional-env:NAME`, tried in this order."
    )

    @model_validator(mode="after")
    def _keys_are_there(self) -> Decrypt:
        if self.format != "plaintext" and not self.keys:
            raise ValueError(f"format {self.format} needs keys, e.g. keys: [env:CREDENTIAL_KEY]")
        return self


class SecretPlan(Frozen):
    """Rows of credentials and the secrets that they become.

    `name` is a template over columns. Rows of one name are versions of one secret, ordered by `newest_by`
    and then by primary key; the last is current. The secret's value is the decrypted text itself, or, when
    `plaintext` names a field, a JSON object of the columns in `fields` with the decrypted JSON in that field.
    """

    from_: SourceText = Field(alias="from", description="schema.table; without a schema it is public.")
    name: str = Field(description="The secret's name, with columns in braces, e.g. app/account/{account_id}.")
    ciphertext: str = Field(description="The column that holds the credential: bytea or text.")
    decrypt: Decrypt = Field(description="How the column is decrypted.")
    newest_by: str = Field(
        description="The column that orders the rows of one name; the newest is the secret's current version."
    )
    fields: tuple[str, ...] = Field(
        default=(), description="Columns that stand in the secret's JSON object besides the decrypted value."
    )
    plaintext: str | None = Field(
        default=None,
        description="The field of the secret's JSON object that holds the decrypted JSON."
        " Default: the secret is the decrypted text itself.",
    )
    kms_key: str | None = Field(
        default=None, description="The KMS key or alias. Default: the account's key for Secrets Manager."
    )

    @property
    def source(self) -> TableName:
        """The source table; a name without schema is in `public`."""
        return parse_table_name(self.from_)

    @property
    def name_columns(self) -> tuple[str, ...]:
        """The columns that the name's template uses, in order."""
        return tuple(re.findall(r"\{([^{}]+)\}", self.name))

    @property
    def name_prefix(self) -> str:
        """What every secret's name begins with: the template up to its first column."""
        return self.name.partition("{")[0]

    @model_validator(mode="after")
    def _template_names_a_column(self) -> SecretPlan:
        if not self.name_columns:
            raise ValueError("the name needs a column, e.g. app/account/{account_id}")
        if self.fields and self.plaintext is None:
            raise ValueError("fields need `plaintext`: the field that holds the decrypted value")
        return self


class Plan(Frozen):
    """A whole migration."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="Names the migration in the control table: up to 64 letters, digits and `_ . -`.",
    )
    source: Source = Field(default_factory=Source, description="Where the rows are.")
    target: Target = Field(default_factory=Target, description="Where the items go.")
    unfit: Unfit = "error"
    nulls: Nulls = "absent"
    tables: tuple[TablePlan, ...] = Field(default=(), description="The entries: what becomes which items.")
    secrets: tuple[SecretPlan, ...] = Field(default=(), description="Rows of credentials that become secrets.")

    _words = field_validator("unfit", "nulls", mode="before")(null_is_a_word)

    @model_validator(mode="after")
    def _nothing_twice(self) -> Plan:
        _refuse_entries_without_name(self.tables)
        tables = {str(table.source) for table in self.tables}
        secrets = [str(secret.source) for secret in self.secrets]
        for n, source in enumerate(secrets):
            if source in tables or source in secrets[:n]:
                raise _at(("secrets", n, "from"), f"from: {source} stands more than once")
        names = set(secrets)
        for n, table in enumerate(self.tables):
            if table.name in names:
                raise _at(("tables", n, "name"), f"name: {table.name} stands more than once")
            names.add(table.name)
            if table.to == self.target.control_table:
                raise _at(("tables", n, "to"), f"{table.to} is the control table: it cannot hold items too")
        return self

    @model_validator(mode="after")
    def _ciphertext_stays_out_of_items(self) -> Plan:
        ciphertexts = {secret.source: secret.ciphertext for secret in self.secrets}
        for n, table in enumerate(self.tables):
            looked_up = [(each.source, each.attributes.values()) for each in table.lookups]
            if any(ciphertexts.get(source) in columns for source, columns in looked_up):
                raise _at(("tables", n, "lookups"), "lookups: a credential's ciphertext cannot be an attribute")
            for embed in _embeds_of(table):
                if _takes(embed, column := ciphertexts.get(embed.source)):
                    words = f"embed: leave out {column} of {embed.source}: it is a credential's ciphertext"
                    raise _at(("tables", n, "embed"), words)
        return self


def _embeds_of(chosen: Chosen) -> Iterator[Embed]:
    """Yield the embeds of an entry, of all levels."""
    for embed in chosen.embed.values():
        yield embed
        yield from _embeds_of(embed)


def _takes(embed: Embed, column: str | None) -> bool:
    if column is None:
        return False
    return column in embed.columns if embed.columns is not None else column not in embed.leave_out


def _at(place: tuple[str | int, ...], words: str) -> PydanticCustomError:
    """Return an error of the whole plan that knows where it was made."""
    return PydanticCustomError("plan", "{words}", {"words": words, "place": place})


def _refuse_entries_without_name(tables: Iterable[TablePlan]) -> None:
    """Refuse a second entry of one source that has no name, and say which to add."""
    unnamed = set[str]()
    for n, table in enumerate(tables):
        if not table.named and table.name in unnamed:
            raise _at(
                ("tables", n, "from"),
                f"from: {table.name} stands more than once: give its further entries names of their own, "
                f"e.g. name: {_suggested_name(table)}",
            )
        if not table.named:
            unnamed.add(table.name)


def _suggested_name(table: TablePlan) -> str:
    """Return a name that says how the entry is looked up, in the characters of a name."""
    parts = (table.source.name, "by", table.key.hash, table.key.range or "")
    return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(parts)).strip("-_.")[:64] or "further"
