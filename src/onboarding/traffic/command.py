"""The command `onboarding traffic`: thin over `run_traffic`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, TextIO

import typer
from rich.console import Console

from onboarding.kept_demo import use_kept_demo
from onboarding.store.errors import StoreError
from onboarding.store.opening import STORES, open_store
from onboarding.traffic.options import Target, TrafficOptions
from onboarding.traffic.report import TrafficProgress
from onboarding.traffic.running import run_traffic
from onboarding.traffic.summary import show
from pg2dynamo.errors import Pg2DynamoError

PLAIN_INTERVAL_SECONDS = 10.0


class TargetMissing(Pg2DynamoError):
    """The target is not configured or does not answer; shown without a traceback, exit code 1."""


def traffic(
    store: Annotated[str | None, typer.Option(help=f"Ask a store itself: {', '.join(STORES)}.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Ask a running service; ONBOARDING_TOKEN_KEY makes the tokens.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long.  [default: 60, or until --operations]")
    ] = None,
    operations: Annotated[int | None, typer.Option(min=1, help="How many operations.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="How many ask at the same time.")] = 4,
    tenants: Annotated[int, typer.Option(min=1, max=100, help="How many tenants each has, beside one.")] = 2,
    rate: Annotated[float, typer.Option(min=0, help="Operations a second over all workers; 0 for no limit.")] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed and label give the same operations.")] = 1,
    label: Annotated[
        str | None, typer.Option(help="Begins the names of tenants; another for each run.  [default: the time]")
    ] = None,
    lag_seconds: Annotated[float, typer.Option(min=0, help="How long listings may be behind.")] = 0.0,
    patience_seconds: Annotated[float, typer.Option(min=0, help="How long the store may be away.")] = 300.0,
    cleanup: Annotated[bool, typer.Option("--cleanup/--keep", help="Delete the tenants at the end.")] = True,
    record: Annotated[
        Path | None, typer.Option(help="Write every operation and answer as JSON lines, without credentials.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Use a store or a running service as its callers do, and hold every answer against a model.

    Exit code 1 when an answer was wrong. Ctrl-C ends it in good order. Without configuration of their own, stores
    are those that `onboarding demo --keep` left. Example: onboarding traffic --store dynamodb --seconds 20
    """
    options = TrafficOptions(
        label=label or f"traffic-{int(time.time())}",
        seed=seed,
        workers=workers,
        tenants=tenants,
        operations=operations,
        seconds=60.0 if seconds is None and operations is None else seconds,
        rate=rate,
        lag_seconds=lag_seconds,
        patience_seconds=patience_seconds,
        cleanup=cleanup,
        record=record,
    )
    with _opened(store, url) as target, _stopping() as stop, _telling(sys.stderr) as tell:
        report = run_traffic(lambda: target, options, tell, stop=stop)
    show(report, Console(stderr=as_json, highlight=False, soft_wrap=True))
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    raise typer.Exit(0 if report.ok else 1)


@contextmanager
def _opened(store: str | None, url: str | None) -> Iterator[Target]:
    if (store is None) == (url is None):
        raise typer.BadParameter("Give --store or --url, one of them.")
    target = _configured(store, url)
    try:
        target.store.prepare()
        target.store.check()
        yield target
    except StoreError as error:
        raise TargetMissing(str(error)) from None
    except OSError as error:
        raise TargetMissing(f"The file of --record cannot be written: {error.strerror}.") from None
    finally:
        target.store.close()


def _configured(store: str | None, url: str | None) -> Target:
    try:
        return _of_store(store) if store else _of_url(url or "")
    except KeyError as error:
        raise TargetMissing(f"Set {error.args[0]}.") from None
    except ValueError as error:
        raise TargetMissing(str(error)) from None


def _of_store(name: str) -> Target:
    if name not in STORES:
        raise typer.BadParameter(f"There is no store {name}: take one of {', '.join(STORES)}.")
    use_kept_demo()
    return Target(open_store(name, os.environ))


def _of_url(url: str) -> Target:
    from onboarding.api.keys import token_keys
    from onboarding.traffic.http_target import http_target

    use_kept_demo()
    return http_target(url, token_keys(os.environ))


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; a second one ends the process as usual."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(_: int, __: FrameType | None) -> None:
        stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _telling(stream: TextIO) -> Iterator[Callable[[TrafficProgress], None]]:
    """Give what writes how far a run is: one line that is written over on a terminal, lines now and then elsewhere."""
    terminal, told_seconds = stream.isatty(), [0.0]

    def tell(progress: TrafficProgress) -> None:
        per_second = progress.operations / progress.seconds if progress.seconds else 0.0
        line = (
            f"{progress.seconds:,.0f} s: {progress.operations:,} operations, {per_second:,.0f}/s, "
            f"{progress.wrong:,} wrong, {progress.unavailable:,} unavailable"
        )
        if terminal:
            stream.write(f"\r\x1b[K{line}")
            stream.flush()
        elif progress.seconds - told_seconds[0] >= PLAIN_INTERVAL_SECONDS:
            told_seconds[0] = progress.seconds
            stream.write(f"{line}\n")
            stream.flush()

    try:
        yield tell
    finally:
        if terminal:
            stream.write("\n")
