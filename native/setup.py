"""Say how the extension is built: what pyproject.toml has no settled words for."""

from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("src", "encoder")

setup(
    ext_modules=[
        Extension(
            "pg2dynamo_native._encoder",
            sorted(str(path) for path in SOURCES.glob("*.c")),
            depends=sorted(str(path) for path in SOURCES.glob("*.h")),
        )
    ]
)
