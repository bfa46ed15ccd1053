"""The words that the generated rows are made of: ordinary ones, and those that break careless tools."""

from __future__ import annotations

from random import Random
from typing import Any

TENANT_NAMES = (
    "Nordwind Logistik",
    "Café Perdu Group",
    "Cafe\u0301 Perdu (NFD)",  # e and a combining accent: another text than the line above
    "株式会社みどり",
    "شركة النور",
    "חברת אלון",
    "Ψηφιακή ΑΕ",
    "👩🏽‍💻 Pair & Sons",
    'O\'Reilly "Quoted" Ltd',
    "Straße & Söhne",
    "İstanbul Bulut",
    "Tab\tand\\backslash",
    "  spaces around  ",
)

TEXTS: tuple[str | None, ...] = (
    None,
    None,
    "",
    " ",
    "NULL",
    "\\N",
    "null",
    "weekly review",
    "line one\nline two\r\nline three",
    "tab\there, backslash \\ and \\n that is no newline",
    "'single' \"double\" `back` $$dollar$$ %s {brace}",
    "trailing space ",
    "emoji 🛰️ and 🏳️‍🌈 and combining a\u0308",
    "مرحبا بالعالم \u200fرتل",
    "\ufeffbyte order mark",
    "\U0010ffff highest code point, \x7f and \x01",
    "x" * 1500,
)

REGIONS = {
    "aws": ("us-east-1", "eu-west-1", "ap-south-1", "sa-east-1"),
    "azure": ("westeurope", "eastus2", "japaneast"),
    "gcp": ("europe-west4", "us-central1", "asia-east1"),
    "alicloud": ("cn-hangzhou", "ap-southeast-1"),
    "oci": ("eu-frankfurt-1", "us-ashburn-1"),
    "ibm": ("eu-de", "us-south"),
}

SERVICES = ("ec2", "s3", "iam", "rds", "lambda", "kms", "vpc", "cloudtrail", "eks", "sns")

ODD_ARRAYS: tuple[list[str | None], ...] = (
    [],
    [""],
    ["NULL", 'quote"d', "comma,brace{}", "back\\slash", " "],
    ["a", None, "b"],
    ["übergröße", "日本", "🧭", "line\nbreak"],
)

TIMEZONES = ("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata")

ERRORS = (
    "AccessDenied: not authorised to perform: iam:ListUsers",
    "Traceback (most recent call last):\n  File \"scan.py\", line 3\n\tKeyError: 'regions'",
    "",
    "Zeitüberschreitung nach 30 s – später erneut versuchen",
    "C:\\scans\\out.json: not found",
)

CHANNELS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"email": []},
    {"email": ["ops@example.com", "sécurité@example.com"], "slack": {"channel": "#alerts", "mention": None}},
    {"webhook": {"url": "https://example.com/hook?a=1&b=2", "headers": {"X-Tag": 'a\\b"c'}, "retries": 3}},
    {"pager": {"levels": [[1, [2, [3, {"deep": True}]]], {}], "quiet": False, "ratio": 0.125}},
)


def text(rng: Random) -> str | None:
    """Return a text, an empty one, or None."""
    return rng.choice(TEXTS)


def words(rng: Random, vocabulary: tuple[str, ...]) -> list[str | None] | None:
    """Return an array of text: usually some of `vocabulary`, now and then None, empty or awkward."""
    pick = rng.random()
    if pick < 0.15:
        return None
    if pick < 0.3:
        return list(rng.choice(ODD_ARRAYS))
    return list(rng.sample(vocabulary, rng.randint(1, len(vocabulary))))


def findings(rng: Random, identifier: str) -> dict[str, Any] | None:
    """Return the metadata of a scan: None, empty, small and nested, or for one in 500 tens of kilobytes."""
    pick = rng.random()
    if pick < 0.2:
        return None
    if pick < 0.25:
        return {}
    count = 200 if pick > 0.998 else rng.randint(0, 3)
    return {
        "engine": {"version": "2.14.0", "flags": ["fast", "", "ünïcode"], "seed": rng.getrandbits(62)},
        "score": round(rng.uniform(-1, 1), 9),
        "tiny": 1e-7,
        "large": 12345678901234567890123,
        "nothing": None,
        "empty": {"list": [], "object": {}, "text": ""},
        "findings": [_finding(rng, identifier, n) for n in range(count)],
    }


def _finding(rng: Random, identifier: str, number: int) -> dict[str, Any]:
    return {
        "id": f"{identifier}#{number}",
        "severity": rng.choice(("low", "medium", "high", "critical")),
        "resource": {
            "arn": f"arn:aws:s3:::bucket-{rng.getrandbits(24):06x}",
            "tags": {"owner": rng.choice(TENANT_NAMES)},
        },
        "passed": rng.random() < 0.5,
        "weights": [round(rng.random(), 4) for _ in range(3)],
    }
