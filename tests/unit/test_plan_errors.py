"""What is wrong in a plan is told with file, line, key and what would be right, all at once, and never a password."""

from __future__ import annotations

import re

import pytest

from pg2dynamo.errors import PlanError, SourceChanged, TargetError
from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan import document
from pg2dynamo.plan.compile import compile_table
from pg2dynamo.plan.load import PlanFile, parse_plan, parse_plan_file, read_values
from pg2dynamo.plan.schema import SourceColumn, SourceTable

HEAD = """\
name: x
tables:
  - from: a
    to: b
    key: {hash: id}
"""


def told(text: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        parse_plan(text, {}, where="plan.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("attributes: {x: {sqk: y}}", "unknown key tables.0.attributes.x.sqk; did you mean sql"),
        ("attributes: {sql: {sqk: y}}", "unknown key tables.0.attributes.sql.sqk; did you mean sql"),
        ("embed: {x: {form: y, on: {a: b}}}", "unknown key tables.0.embed.x.form; did you mean from"),
        ("embed: {attributes: {from: y, on: {a: b}, whre: c}}", "tables.0.embed.attributes.whre; did you mean where"),
        (
            "embed: {x: {from: y, on: {a: b}, embed: {z: {from: y, on: {a: b}, atmost: 3}}}}",
            "unknown key tables.0.embed.x.embed.z.atmost; did you mean at_most",
        ),
        (
            "embed: {x: {from: y, on: {a: b}, attributes: {q: {ass: text}}}}",
            "tables.0.embed.x.attributes.q.ass; did you mean as",
        ),
        ("lookups: [{frm: o, on: {a: b}, attributes: {c: d}}]", "tables.0.lookups.0.frm; did you mean from"),
        ("ttl: {attribut: e, from: f}", "tables.0.ttl.attribut; did you mean attribute"),
        ("range: day", "unknown key tables.0.range; did you mean key.range"),
        ("zzz: 1", "unknown key tables.0.zzz; known here: columns, leave_out, "),
    ],
)
def test_an_unknown_key_of_any_depth_is_told_with_the_nearest_right_one(line: str, expected: str) -> None:
    assert any(each.startswith("plan.yaml:6: ") and expected in each for each in told(HEAD + f"    {line}\n"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("unfit: qarantine", "tables.0.unfit: qarantine is not known; did you mean quarantine."),
        ("unfit: Skip", "tables.0.unfit: Skip is not known; did you mean skip."),
        ("nulls: whatever", "tables.0.nulls: whatever is not known; known: absent, null."),
        ("nulls: 5", "tables.0.nulls: a word is wanted; known: absent, null."),
        ("attributes: {x: {as: txt}}", "tables.0.attributes.x.as: txt is not known; did you mean text."),
    ],
)
def test_a_wrong_word_is_told_with_the_nearest_right_one(line: str, expected: str) -> None:
    assert told(HEAD + f"    {line}\n") == [f"plan.yaml:6: {expected}"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("columns: id", "tables.0.columns: a list is wanted."),
        ("rename: [a, b]", "tables.0.rename: a mapping is wanted."),
        ("ttl: expires", "tables.0.ttl: a mapping is wanted."),
        ("where: [a]", "tables.0.where: text is wanted."),
        ("lookups: [{from: , on: {a: b}, attributes: {c: d}}]", "tables.0.lookups.0.from: text is wanted, and it is"),
        ("constants: {a: 1.5}", "tables.0.constants.a: text, or true or false, or a whole number is wanted, and YAML"),
        ("embed: {x: {from: y, on: {a: b}, at_most: many}}", "tables.0.embed.x.at_most: a whole number is wanted."),
        ("embed: {x: {from: y, on: {a: b}, at_most: 0}}", "tables.0.embed.x.at_most: at least 1 is wanted."),
        ("embed: {x: {from: y, on: {a: b}, one: perhaps}}", "tables.0.embed.x.one: true or false is wanted."),
        ("embed: {x: {from: y, on: {}}}", "tables.0.embed.x.on: it must not be empty."),
        ("schema: 1f3a", "tables.0.schema: twelve hex digits are wanted, as `pg2dynamo init` writes"),
    ],
)
def test_a_wrong_type_is_told_with_the_one_that_is_wanted(line: str, expected: str) -> None:
    [found] = told(HEAD + f"    {line}\n")
    assert found.startswith(f"plan.yaml:6: {expected}")


@pytest.mark.parametrize(
    ("line", "read_as"),
    [
        ("where: 2024-01-01", "a date"),
        ("where: 2024-01-01 10:00:00", "a date"),
        ("where: no", "true or false"),
        ("where: on", "true or false"),
        ("where: 12", "a number"),
        ("where: 1.5", "a number"),
        ("rename: {a: yes}", "true or false"),
        ("identity: [id, 0x10]", "a number"),
        ("embed: {x: {from: y, on: {a: off}}}", "true or false"),
    ],
)
def test_a_plain_value_that_yaml_makes_no_text_is_told_to_want_quotes(line: str, read_as: str) -> None:
    [found] = told(HEAD + f"    {line}\n")
    assert found.endswith(f"text is wanted, and YAML reads this as {read_as}: write it in quotes.")


def test_a_plain_value_that_looks_like_a_date_and_is_none_is_told_to_want_quotes() -> None:
    assert told(HEAD + "    where: 2024-13-45\n") == [
        "plan.yaml:6: tables.0.where: YAML takes it for a timestamp, and it is none: write it in quotes."
    ]


def test_keys_are_their_text_whatever_yaml_makes_of_such_words() -> None:
    text = HEAD + (
        "    rename: {no: a, 1: b, 2024-01-01: c, ~: d, 1.50: e}\n"
        "    lookups:\n      - from: o\n        on: {id: on}\n        attributes: {n: m}\n"
    )
    plan = parse_plan(text.replace("id: on", 'id: "on"'), {})
    assert dict(plan.tables[0].rename) == {"no": "a", "1": "b", "2024-01-01": "c", "~": "d", "1.50": "e"}
    assert dict(plan.tables[0].lookups[0].on) == {"id": "on"}


def test_several_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        "name: x y\nsource: {dns: z}\ntables:\n  - from: a\n    too: b\n    key: {hash: [id]}\n    unfit: skp\n"
        "    unfit: skip\n  - from: ${UNSET}\n    to: b\n    key: {hash: id}\n    key: {hash: id}\n"
    )
    found = told(text)
    assert [int(line.split(":")[1]) for line in found] == [1, 2, 4, 5, 6, 7, 8, 9, 12]
    assert found[7].endswith(
        "tables.1.from: the environment variable UNSET is not set. Set it, or write ${UNSET:-default}."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\n\tsource: y\n", "plan.yaml:2: not YAML: .* Indent with spaces"),
        ("name: x\nsource: {dsn: a: b}\n", r"plan.yaml:2: not YAML: "),
        ("name: x\ntables: [\n", "plan.yaml:3: not YAML"),
        ("name: x\nunfit: `a\n", "plan.yaml:2: not YAML: .* Write the value in quotes"),
        ("name: x\n---\nname: y\n", "plan.yaml:2: not YAML: but found another document"),
        ("name: x\ntarget: *nowhere\n", "plan.yaml:2: not YAML: found undefined alias"),
        ("name: !!python/object:os.system x\n", "plan.yaml:1: name: YAML takes it for a python/object"),
        ("name: !secret x\n", "plan.yaml:1: name: a plan has no tags"),
        ("name: x\n? [a]\n: b\n", "plan.yaml:2: ?: a key is a word"),
        ("name: x\ntables: &a [*a]\n", "plan.yaml:2: tables.0: an anchor that holds itself"),
        ("name: x\ntarget: &t {<<: *t}\n", "plan.yaml:2: target.<<: << takes a mapping"),
        ("name: x\ntarget: {<<: 5}\n", "plan.yaml:2: target.<<: << takes a mapping"),
    ],
)
def test_what_yaml_itself_refuses_is_told_with_its_line(text: str, expected: str) -> None:
    assert re.match(expected.replace("?", r"\?"), told(text)[0])


def test_anchors_and_merge_keys_are_followed_and_own_keys_go_before() -> None:
    text = (
        "name: x\ntables:\n  - &first\n    from: a\n    to: b\n    key: &key {hash: id}\n    nulls: null\n"
        "  - <<: *first\n    name: second\n    to: c\n  - <<: [{to: d}, *first]\n    from: e\n    key: *key\n"
    )
    tables = parse_plan(text, {}).tables
    assert [(t.from_, t.to, t.key.hash, t.nulls) for t in tables] == [
        ("a", "b", "id", "null"),
        ("a", "c", "id", "null"),
        ("e", "d", "id", "null"),
    ]


def test_a_fault_that_a_merge_brings_is_told_where_it_is_written() -> None:
    text = HEAD.replace("- from", "- &first\n    from") + "    kye: c\n  - <<: *first\n    name: d\n"
    assert [line.split(" unknown")[0] for line in told(text)] == ["plan.yaml:7:", "plan.yaml:7:"]


def test_anchors_in_anchors_do_not_take_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MOST_VALUES", 10_000)
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(PlanError, match="more than 10,000 values"):
        document.read_document(text, {}, "plan.yaml")


@pytest.mark.parametrize("text", ["name: " + "[" * 200_000, "name: x\n" + "- " * 200_000, "name: " + "{a: " * 50_000])
def test_lists_in_lists_without_end_are_told_and_do_not_end_the_process(text: str) -> None:
    assert re.search(r"plan.yaml:[12]: (more than 100 levels|not YAML)", told(text)[0])


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("  - {from: a, to: c, key: {hash: id}}\n", "plan.yaml:6: tables.1.from: public.a stands more than once"),
        (
            "  - {from: c, name: public.a, to: c, key: {hash: id}}\n",
            "plan.yaml:6: tables.1.name: public.a stands more than once.",
        ),
        (
            "  - {from: c, to: pg2dynamo-control, key: {hash: id}}\n",
            "plan.yaml:6: tables.1.to: pg2dynamo-control is the control",
        ),
        (
            "secrets:\n  - {from: a, name: 's/{id}', ciphertext: c, newest_by: d, decrypt: {keys: [env:K]}}\n",
            "plan.yaml:7: secrets.0.from: public.a stands more than once",
        ),
    ],
)
def test_what_stands_twice_is_told_where_it_stands_again(more: str, expected: str) -> None:
    [found] = told(HEAD + more)
    assert expected in found


def test_no_error_repeats_what_the_source_holds() -> None:
    for line in (
        "dsn: 12345",
        "dsn: *hunter2",
        "dsn: &hunter2 &hunter2 a",
        "dsn: !hunter2!a b",
        "dsn: [hunter2]",
        "dsn: !x hunter2",
        "dsn: {hunter2: hunter2}",
        "dsn: a: hunter2",
    ):
        found = " ".join(told(f"name: x\nsource:\n  {line}\n"))
        assert "hunter2" not in found.replace("source.dsn.hunter2", "")
        assert "12345" not in found


ENTRIES = """\
name: x
tables:
  - from: people
    to: b
    key: {hash: id}
    columns:
      - id
      - nmae
  - name: again
    from: people
    to: c
    key: {hash: name}
"""


def people() -> SourceTable:
    columns = (SourceColumn("id", ColumnType(Kind.INTEGER, "integer", 23), not_null=True),)
    return SourceTable(TableName("public", "people"), 1, "table", columns, ("id",))


def compiled(file: PlanFile, number: int) -> str:
    with pytest.raises(PlanError) as caught, file.located():
        compile_table(file.plan.tables[number], people(), {})
    return str(caught.value)


def test_an_error_of_compiling_names_file_and_line_of_the_entry_and_of_the_key_that_it_names() -> None:
    file = parse_plan_file(ENTRIES, {}, "plan.yaml")
    assert compiled(file, 0).startswith("plan.yaml:6: people: `columns` names nmae, which the table does not have. Cor")
    assert compiled(file, 1).startswith("plan.yaml:9: again (from people): the key attribute name is no column")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("The source has no table public.people.", "plan.yaml:3: "),
        ("again (from people): its template is wrong.", "plan.yaml:9: "),
        ("public.people: `where` is of type text, and must be true or false.", "plan.yaml:3: "),
        ("again and public.people share the table c, but their key attributes differ.", "plan.yaml:9: "),
        ("The plan has no table peopl.", ""),
        ("peoples: whatever.", ""),
    ],
)
def test_an_error_that_begins_with_an_entry_is_told_with_its_line_and_others_are_not(message: str, line: str) -> None:
    file = parse_plan_file(ENTRIES, {}, "plan.yaml")
    with pytest.raises(SourceChanged) as caught, file.located():
        raise SourceChanged(message, remedy="Do this.")
    assert (str(caught.value), caught.value.remedy) == (f"{line}{message} Do this.", "Do this.")


def test_an_error_of_an_embed_is_told_with_the_line_of_the_embed() -> None:
    embed = "    embed:\n      lines:\n        from: l\n        on: {a: id}\n        order_by:\n          - x\n"
    file = parse_plan_file(HEAD + embed, {}, "plan.yaml")
    for message, line in (("a: embed lines: `order_by` names x.", 10), ("a: embed lines has no attribute.", 7)):
        with pytest.raises(PlanError, match=f"^plan.yaml:{line}: "), file.located():
            raise PlanError(message)


def test_errors_that_are_not_of_the_plan_stay_as_they_are() -> None:
    error = TargetError("people: throttled.")
    with pytest.raises(TargetError) as caught, parse_plan_file(ENTRIES, {}, "plan.yaml").located():
        raise error
    assert caught.value is error


def test_values_are_read_as_they_stand_for_who_asks_so() -> None:
    assert read_values("a: ${B}\n") == {"a": "${B}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD.replace("from: a", "from: ${VARIABLE}"), "p:3: tables.0.from: write schema.table, a part that has"),
        (HEAD + "    unfit: ${VARIABLE}\n", "p:6: tables.0.unfit: what the variable holds is not known; known: error"),
        (HEAD + "    lookups: [{from: '${VARIABLE}', on: {a: b}, attributes: {c: d}}]\n", "p:6: tables.0.lookups.0"),
    ],
)
def test_what_a_variable_holds_is_in_no_error(text: str, expected: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(text, {"VARIABLE": 'hush..not"shown'}, where="p")
    assert str(caught.value).startswith(expected)
    assert "hush" not in str(caught.value)
    assert "shown" not in str(caught.value)


@pytest.mark.parametrize("value", ["0x1f", "010", "1_000", "12:30", "0b11"])
def test_a_number_that_yaml_reads_otherwise_than_it_looks_is_refused(value: str) -> None:
    [found] = told(HEAD + f"    constants: {{a: {value}}}\n")
    assert found.startswith("plan.yaml:6: tables.0.constants.a: YAML reads this as another number than it looks")


@pytest.mark.parametrize("value", ["yes", "no", "on", "off"])
def test_a_word_that_yaml_reads_as_true_or_false_is_refused_where_text_can_stand(value: str) -> None:
    [found] = told(HEAD + f"    constants: {{a: {value}}}\n")
    assert "tables.0.constants.a: YAML reads this as true or false" in found
    assert parse_plan(HEAD + "    embed: {x: {from: y, on: {a: b}, one: yes}}\n", {}).tables[0].embed["x"].one


def test_a_key_without_a_value_is_refused() -> None:
    [found] = told(HEAD + "    where:\n")
    assert found == "plan.yaml:6: tables.0.where: it is empty: write its value, or take the key out."


@pytest.mark.parametrize("value", ["!!set {a, b}", "!!binary aGFsbG8=", "!!omap [a: b]", "!!pairs [a: b]"])
def test_a_value_with_a_tag_is_refused(value: str) -> None:
    assert told(HEAD + f"    columns: {value}\n") == [
        "plan.yaml:6: tables.0.columns: a plan has no tags: write the value without."
    ]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("[1, b]", "tables.0.maps.m: columns are text: write in quotes"),
        ("[b, c, b]", "tables.0.maps.m: b stands more than once."),
        ("[]", "tables.0.maps.m: it must not be empty."),
        ("{}", "tables.0.maps.m: it must not be empty."),
        ("{a: 1}", "tables.0.maps.m.a: text is wanted, and YAML reads this as a number"),
    ],
)
def test_what_is_wrong_in_a_map_of_columns_is_told_where_it_stands(entries: str, expected: str) -> None:
    [found] = told(HEAD + f"    maps: {{m: {entries}}}\n")
    assert expected in found
