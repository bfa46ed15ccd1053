"""The native encoder is used when it is here and speaks the same protocol, and why it is not can be asked."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from pg2dynamo.cli.app import app
from pg2dynamo.mapping import native
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.generated import MOST_BYTES, GeneratedEncoder
from pg2dynamo.mapping.types import Kind
from tests.conftest import lacking
from tests.copy_lines import copy_field
from tests.fast_encoders import fast_encoder, require_equal
from tests.fuzz.material import VALUES, random_line
from tests.fuzz.sanitized import run, why_unavailable
from tests.mappings import column, mapping_of

MAPPING = mapping_of(column("value", Kind.NUMERIC), column("list", Kind.ARRAY, Kind.TEXT))
LINE = b"k\t1.50\t{a,b}"


@pytest.fixture
def found() -> None:
    """The native encoder is installed and used."""
    if not native.in_use().startswith("native"):
        lacking(f"the native encoder is not used: {native.in_use()}")


def encoder_of(environment: dict[str, str], *, before: str = "") -> list[str]:
    """The encoder that a new process uses, and what it says of it."""
    program = f"""
import sys
{before}
from pg2dynamo.mapping.native import in_use
from tests.unit.test_native import MAPPING, LINE, Encoder
encoder = Encoder(MAPPING)
assert encoder.encode_many([LINE]) == ([encoder.encode(LINE).key], [encoder.encode(LINE).item], [])
print(type(encoder._fast).__module__, in_use(), sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


@pytest.mark.usefixtures("found")
def test_an_encoder_uses_the_native_one_where_it_is_installed() -> None:
    module, said = encoder_of({})
    assert module == "pg2dynamo_native"
    assert said == "native (pg2dynamo-native, protocol 1)"


def test_the_environment_can_say_that_it_is_not_used() -> None:
    assert encoder_of({"PG2DYNAMO_NATIVE": "0"}) == [
        "pg2dynamo.mapping.generated",
        "Python (PG2DYNAMO_NATIVE is 0)",
    ]


def test_without_it_everything_works_and_says_so() -> None:
    said = encoder_of({}, before="sys.modules['pg2dynamo_native'] = None")
    assert said == ["pg2dynamo.mapping.generated", "Python (pg2dynamo-native is not installed)"]


def test_a_build_for_another_python_is_not_used() -> None:
    said = encoder_of({}, before="sys.modules['pg2dynamo_native._encoder'] = None")
    assert said[0] == "pg2dynamo.mapping.generated"
    assert said[1] in (
        "Python (pg2dynamo-native cannot be loaded; install it anew)",
        "Python (pg2dynamo-native is not installed)",
    )


@pytest.mark.usefixtures("found")
def test_a_build_of_another_protocol_is_not_used_and_the_version_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pg2dynamo_native.PROTOCOL", 0)
    assert isinstance(Encoder(MAPPING)._fast, GeneratedEncoder)
    shown = CliRunner().invoke(app, ["--version"]).output
    assert "encoder: Python (pg2dynamo-native is of another version: it speaks protocol 0" in shown
    assert "install it anew" in shown


def test_the_command_line_says_which_encoder_is_used() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"pg2dynamo {version('pg2dynamo')}", f"encoder: {native.in_use()}"]


@pytest.mark.parametrize(
    ("document", "left"),
    [
        (r'{"a": 1, "b": 2, "aa": 3}', 0),
        (r'{"\"": 1, "a": 2, "\\": 0}', 1),
        (r'{"\u0001": 0, "\n": 0, "\"": 1, "\\": 2, "a": 3, "é": 4}', 0),
        (r'{"a\"": 1, "ab": 2, "b\\": 3}', 0),
        (r'{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}', 0),
        (r'{"a": 1, "a": 2}', 1),
        (r'{"a": 1, "bb": 2, "a": 3}', 1),
        (r'{"a\"": 1, "a\"": 2}', 1),
        (r'{"a": 1, "\u0061": 2}', 1),
        ("[" * 32 + "]" * 32, 0),
        ("[" * 33 + "]" * 33, 1),
        ('{"' + "a" * 65_535 + '": 1}', 0),
        ('{"' + "a" * 65_536 + '": 1}', 1),
        (r'"\ud834\udd1e\u00e9\u0041\/"', 0),
        (r'"\ud834"', 1),
    ],
)
def test_a_document_is_written_where_its_names_rise_as_in_jsonb_so_that_none_comes_twice(
    document: str, left: int
) -> None:
    mapping = mapping_of(column("value", Kind.JSONB))
    row = f"k\t{copy_field(document)}".encode()
    assert require_equal(mapping, fast_encoder("native", mapping), [row]) == left


@pytest.mark.usefixtures("found")
def test_what_it_cannot_be_made_of_is_refused_and_what_it_cannot_encode_raises() -> None:
    import pg2dynamo_native

    def convert(_: str) -> bytes | None:
        return None

    cell = (b'"a"', "S", False, 0, convert)
    for cells, key, width in [
        ((cell,), (), 1),
        ((cell,), (1,), 1),
        ((cell,), (-1,), 1),
        ((cell, cell), (0, 0), 2),
        ((cell,), (0,), 0),
        (((b'"a"', "[B", False, 0, convert),), (0,), 1),
        (((b'"a"', "X", False, 0, convert),), (0,), 1),
        (((b'"a"', "S", False, -1, convert),), (0,), 1),
    ]:
        with pytest.raises(ValueError, match=r"a (key|cell|row)"):
            pg2dynamo_native.Encoder(cells, key, width, 1000)
    encoder = pg2dynamo_native.Encoder((cell,), (0,), 1, 1000)
    with pytest.raises(TypeError):
        encoder.encode(["text"])  # type: ignore[list-item]


@pytest.mark.usefixtures("found")
def test_what_a_converter_raises_beyond_a_fault_of_the_value_is_not_swallowed() -> None:
    import pg2dynamo_native

    def convert(text: str) -> bytes | None:
        raise KeyboardInterrupt

    encoder = pg2dynamo_native.Encoder(((b'"a"', "OTHER", False, 0, convert),), (0,), 1, MOST_BYTES)
    with pytest.raises(KeyboardInterrupt):
        encoder.encode([b"x"])


MIXED = mapping_of(
    column("n", Kind.NUMERIC), column("tags", Kind.ARRAY, Kind.TEXT), column("docs", Kind.ARRAY, Kind.JSONB)
)


def mixed_lines(seed: int) -> list[bytes]:
    """Lines of MIXED, among them some that the reference's converters are called for."""
    chance = random.Random(seed)
    forms = ((a.type.kind, a.type.element.kind if a.type.element else None) for a in MIXED.attributes)
    values = tuple(VALUES[form] for form in forms)
    return [random_line(chance, values) for _ in range(50)]


@pytest.mark.usefixtures("found")
def test_one_encoder_serves_many_threads() -> None:
    fast = fast_encoder("native", MIXED)
    batches = [mixed_lines(seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(fast.encode, batches))
    assert together == [fast.encode(batch) for batch in batches]
    assert sum(len(items) for _, items, _ in together) > 500
    assert require_equal(MIXED, fast, batches[0]) < 40


@pytest.mark.usefixtures("found")
def test_encoding_leaves_no_object_behind() -> None:
    fast, batch = fast_encoder("native", MIXED), mixed_lines(1)

    def blocks() -> int:
        for _ in range(20):
            fast.encode(batch)
        gc.collect()
        return sys.getallocatedblocks()

    before = min(blocks() for _ in range(3))
    assert min(blocks() for _ in range(3)) - before < 100


def test_the_fuzzer_finds_nothing_in_a_short_run() -> None:
    reason = why_unavailable()
    if reason:
        lacking(reason)
    done = run(["--rounds", "8", "--seed", "1"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing differs" in done.stdout
