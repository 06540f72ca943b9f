"""A time-stamping authority (RFC 3161) on loopback: `openssl ts` behind a web server, with certificates of its own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from daemons.web import Exchange, Web, web

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = Test CA
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamper]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
authorityKeyIdentifier = keyid
[tsa]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = {digests}
ess_cert_id_alg = sha256
"""
_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_REPLY = {"Content_Type": "application/timestamp-reply"}


class TimeAuthority:
    """An authority that answers at `url` (POST); `ca` vouches for it. `digests`: the kinds that it stamps."""

    def __init__(self, folder: Path, server: Web, digests: str = "sha256") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._web = server
        self.ca = folder / "ca.pem"
        self.url = f"{server.url}/stamp"
        self._config = folder / "openssl.cnf"
        self._config.write_text(_CONFIG.format(folder=folder, digests=digests))
        key, csr, cert = (str(folder / name) for name in ("tsa.key", "tsa.csr", "tsa.pem"))
        of_root = ("-CA", str(self.ca), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2")
        known = ("-config", str(self._config))
        root = ("-x509", "-extensions", "root", "-days", "2", "-keyout", str(folder / "ca.key"), "-out", str(self.ca))
        _openssl("req", *known, *_NEW, *root)
        _openssl("req", *known, *_NEW, "-subj", "/CN=Test TSA", "-keyout", key, "-out", csr)
        _openssl(
            "x509", "-req", "-in", csr, *of_root, "-extfile", str(self._config), "-extensions", "stamper", "-out", cert
        )
        (folder / "serial").write_text("01\n")
        self.answer_with(lambda asked: asked)

    def answer_with(self, changed: Callable[[bytes], bytes]) -> None:
        """Stamp what comes of a question when it is changed so."""

        def answer(exchange: Exchange) -> None:
            exchange.say(200, self.reply(changed(exchange.asked.body)), **_REPLY)

        self._web.on("/stamp", answer)

    def reply(self, question: bytes) -> bytes:
        """The answer to a TimeStampReq."""
        asked, answer = self._folder / "asked.tsq", self._folder / "answer.tsr"
        asked.write_bytes(question)
        options = ("-config", str(self._config), "-section", "tsa", "-queryfile", str(asked), "-out", str(answer))
        _openssl("ts", "-reply", *options)
        return answer.read_bytes()


@contextlib.contextmanager
def time_authority(folder: Path, digests: str = "sha256") -> Iterator[tuple[TimeAuthority, Web]]:
    """One that runs as long as the block, and the server that it answers by."""
    with web() as server:
        yield TimeAuthority(folder, server, digests), server


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
