"""The rows of another table that an item holds, as an item of FROM. SQL of quoted names and the plan's own expressions.

The other table goes by its own name there, as the plan's SQL may say it, whatever the names of the tables around it:
what the row itself gives is named before, so that a table may hold rows of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from pg2dynamo.mapping.table import Embedded, Link, TableName, quote_identifier

_OUTER = '"pg2dynamo outer"'
_INNER = '"pg2dynamo inner"'


def column(number: int) -> str:
    """Return what `embedded_rows` calls one of its columns."""
    return f'{_INNER}."{number}"'


def embedded_rows(embed: Embedded, outer: TableName, columns: Sequence[str]) -> str:
    """Return a FROM item of the rows that belong to one of `outer`, by its name, at most one more than there may be.

    `columns` are SQL over these rows; each is evaluated once, and called `column(number)`.
    """
    here, there = quote_identifier(outer.name), quote_identifier(embed.source.name)
    own = ", ".join(f'{here}.{quote_identifier(link.ours)} AS "{n}"' for n, link in enumerate(embed.on))
    on = [equal(link, there, f'{_OUTER}."{n}"') for n, link in enumerate(embed.on)]
    # The end of the line ends a comment that the plan's SQL may end with.
    conditions = [*on, f"({embed.where}\n)"] if embed.where is not None else on
    selected = ", ".join(f'{sql} AS "{n}"' for n, sql in enumerate(columns))
    rows = f"{'ONLY ' if embed.only else ''}{embed.source.quoted} AS {there} WHERE {' AND '.join(conditions)}"
    # LIMIT keeps the planner from merging the levels, which could evaluate an expression twice.
    inner = f"SELECT {selected} FROM {rows} LIMIT {embed.most + 1}"  # noqa: S608
    return f"(SELECT {own}) AS {_OUTER} CROSS JOIN LATERAL ({inner}) AS {_INNER}"


def equal(link: Link, there: str, value: str) -> str:
    """Return the SQL that is true for rows of the other table, by its name in SQL, whose column equals `value`."""
    # Extensions' operators are found whatever the search path.
    return f"{there}.{quote_identifier(link.theirs)} {link.type.equals or '='} {value}"
