"""The null sink that requests go to: Debian's nginx where it is there, else our own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pg2dynamo.local import process
from pg2dynamo.local.process import ServerProcess
from tests.bench.bulk.certificates import Certificates
from tests.bench.bulk.sink import ALL_WRITTEN, HOST

ITEMS_PER_REQUEST = 25
OWN, CHECKING, NGINX = "own", "checking", "nginx"
KEY_ATTRIBUTE = "id"
ROOT = Path(__file__).parents[3]

# One process and no master: a worker would outlive a master that is killed.
_NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/nginx-error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type application/x-amz-json-1.0; client_max_body_size 32m; tcp_nodelay on;
  keepalive_requests 1000000000; keepalive_timeout 600s; proxy_read_timeout 120s;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen {host}:{port}; listen {host}:{tls_port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location = /counts {{ stub_status; }}
    location / {{
      if ($http_x_amz_target = "DynamoDB_20120810.BatchWriteItem") {{
        add_header x-amz-crc32 {checksum};
        return 200 '{answer}';
      }}
      proxy_pass {upstream}; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


class SinkDiffers(Exception):
    """The sink did not get what was sent."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a sink has been sent: nginx knows requests alone, and those of all kinds."""

    requests: int
    items: int | None = None
    keys: int | None = None


@dataclass(frozen=True)
class Front:
    """A running sink; `label` says which, for the reader of the numbers."""

    label: str
    port: int
    tls_port: int
    certificates: Certificates
    kind: str
    process: ServerProcess

    def environ(self, *, tls: bool = False) -> dict[str, str]:
        """Return the variables by which any AWS SDK sends its requests here."""
        if not tls:
            return {"AWS_ENDPOINT_URL": f"http://{HOST}:{self.port}"}
        bundle = str(self.certificates.authority)
        return {"AWS_ENDPOINT_URL": f"https://{HOST}:{self.tls_port}", "AWS_CA_BUNDLE": bundle}

    def reset(self) -> None:
        """Forget what was counted; nginx counts from its start."""
        if self.kind != NGINX:
            _get(self.port, "/reset")

    def counts(self) -> Counts:
        """Return what arrived since the reset."""
        text = _get(self.port, "/counts")
        if self.kind == NGINX:
            return Counts(requests=int(text.splitlines()[2].split()[2]))
        return Counts(**json.loads(text))

    def require(self, rows: int, before: Counts) -> None:
        """Raise SinkDiffers unless `rows` items can have arrived since `before`, each once where that is counted."""
        after = self.counts()
        if after.requests - before.requests < -(-rows // ITEMS_PER_REQUEST):
            raise SinkDiffers(f"{rows:,} items cannot have come in {after.requests - before.requests:,} requests.")
        for what, count, earlier in (("items", after.items, before.items), ("keys", after.keys, before.keys)):
            if count is not None and count - (earlier or 0) != rows:
                raise SinkDiffers(f"{rows:,} {what} were to arrive, and {count - (earlier or 0):,} did.")


def choose_kind(wanted: str | None) -> str:
    """Return which sink to take when none is wanted: nginx where this machine has it."""
    return wanted or (NGINX if nginx_program() else OWN)


def nginx_program() -> str | None:
    """Return the path of nginx, which Debian keeps where only root looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def start_front(kind: str, directory: Path, upstream: str, certificates: Certificates) -> Front:
    """Start a sink that passes other calls on to `upstream`. Raises LocalServerError."""
    port, tls_port = process.free_port(), process.free_port()
    if kind == NGINX:
        label, program, server_environ = _nginx(directory, port, tls_port, upstream, certificates)
    else:
        label, program, server_environ = f"tests/bench/bulk/sink.py ({kind})", [sys.executable], _own_environ(directory)
        program += ["-m", "tests.bench.bulk.sink", "--port", str(port), "--upstream", upstream.removeprefix("http://")]
        program += ["--tls-port", str(tls_port)]
        program += ["--certificate", str(certificates.certificate), "--key", str(certificates.key)]
        program += ["--keys", KEY_ATTRIBUTE] if kind == CHECKING else []
    server = _start(kind, program, directory, server_environ, port)
    return Front(label, port, tls_port, certificates, kind, server)


def start_scanned(directory: Path, upstream: str, pages: Path, certificates: Certificates) -> Front:
    """Start our own sink with pages to scan."""
    port = process.free_port()
    program = [sys.executable, "-m", "tests.bench.bulk.sink", "--port", str(port), "--pages", str(pages)]
    program += ["--upstream", upstream.removeprefix("http://")]
    server = _start("scanned", program, directory, _own_environ(directory), port)
    return Front("tests/bench/bulk/sink.py", port, 0, certificates, OWN, server)


def _start(name: str, program: list[str], directory: Path, environ: Mapping[str, str], port: int) -> ServerProcess:
    account = process.unprivileged_account() if name == NGINX else None
    log = directory / f"{name}.log"
    server = process.start_process(program, directory, log=log, environ=environ, account=account)
    process.await_ready(server, f"the sink ({name})", lambda: bool(_get(port, "/counts", quiet=True)))
    return server


def _own_environ(directory: Path) -> dict[str, str]:
    return process.plain_environment(directory) | {"PYTHONPATH": str(ROOT)}


def _nginx(
    directory: Path, port: int, tls_port: int, upstream: str, certificates: Certificates
) -> tuple[str, list[str], dict[str, str]]:
    program = nginx_program()
    if program is None:
        raise process.LocalServerError("nginx is not installed.", remedy="apt-get install nginx-light, or --sink own")
    folder = directory / "nginx"
    folder.mkdir()
    account = process.unprivileged_account()
    for path in (folder, certificates.key, certificates.certificate) if account else ():
        os.chown(path, account.user, account.group)  # type: ignore[union-attr]
    text = _NGINX.format(
        directory=folder,
        host=HOST,
        port=port,
        tls_port=tls_port,
        upstream=upstream,
        certificate=certificates.certificate,
        key=certificates.key,
        answer=ALL_WRITTEN.decode(),
        checksum=zlib.crc32(ALL_WRITTEN),
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr.strip()
    command = [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "nginx-error.log")]
    return version.rpartition(": ")[2].replace("/", " "), command, process.plain_environment(folder)


def _get(port: int, path: str, *, quiet: bool = False) -> str:
    """Ask the sink; with `quiet` a sink that does not answer gives nothing."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        if not quiet:
            raise
        return ""
    finally:
        connection.close()
