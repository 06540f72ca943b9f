"""A real OpenLDAP, from Debian's packages: TLS on loopback, a socket for its root, and a log of every change.

    dc=example,dc=test
      ou=people      uid=provisioner: may make entries in ou=services, and members of roles, and nothing else
      ou=services    accounts: who is locked (`pwdAccountLockedTime`) can't log in
      ou=roles       groups, each with a member that stays

The log is the server's own (`slapo-accesslog`): what was changed and by whom, whatever the one who asked thinks.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from daemons.process import place, reserve_port, start, wait_for
from daemons.web import Authority

OWNER = "openldap"
SERVER = "/usr/sbin/slapd"
BASE = "dc=example,dc=test"
SERVICES = f"ou=services,{BASE}"
ROLES = f"ou=roles,{BASE}"
ROOT = f"cn=root,{BASE}"
PROVISIONER = f"uid=provisioner,ou=people,{BASE}"
NOBODY = f"uid=nobody,ou=people,{BASE}"

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
moduleload accesslog
pidfile {folder}/pid
TLSCACertificateFile {folder}/tls/ca.pem
TLSCertificateFile {folder}/tls/server.pem
TLSCertificateKeyFile {folder}/tls/server.key
security simple_bind=1
localSSF 256

access to dn.subtree="{services}" attrs=userPassword by dn.exact="{provisioner}" =w by anonymous auth by * none
access to dn.subtree="ou=people,{base}" attrs=userPassword by anonymous auth by * none
access to dn.subtree="{services}" by dn.exact="{provisioner}" write by self read by * none
access to dn.children="{roles}" attrs=member by dn.exact="{provisioner}" write by * none
access to dn.subtree="{roles}" by dn.exact="{provisioner}" read by * none
access to * by * none

database mdb
suffix cn=log
rootdn "{root}"
maxsize 67108864
directory {folder}/log
index reqStart,reqResult,reqDN eq
dbnosync

database mdb
suffix "{base}"
rootdn "{root}"
rootpw {secret}
maxsize 67108864
directory {folder}/data
index objectClass,uid,member eq
dbnosync
overlay ppolicy
ppolicy_default "cn=policy,{base}"
overlay accesslog
logdb cn=log
logops writes
logsuccess TRUE
"""

CONTENT = """\
dn: {base}
objectClass: domain
dc: example

dn: cn=policy,{base}
objectClass: device
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdLockout: TRUE

dn: ou=people,{base}
objectClass: organizationalUnit

dn: {services}
objectClass: organizationalUnit

dn: {roles}
objectClass: organizationalUnit

dn: {provisioner}
objectClass: account
objectClass: simpleSecurityObject
userPassword: {password}

dn: {nobody}
objectClass: account
"""

installed = shutil.which(SERVER) is not None and shutil.which("ldapmodify") is not None
needs_openldap = pytest.mark.skipif(not installed, reason="slapd or ldap-utils is not here")


class Change(NamedTuple):
    """A change that the server made: `add`, `modify` or `delete` of an entry, and which attributes of it."""

    kind: str
    dn: str
    who: str
    attributes: frozenset[str] = frozenset()


class OpenLdap:
    """One server. `folder` is reachable for its user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = reserve_port()
        self.password = secrets.token_urlsafe(24)
        """The provisioner's."""
        self.ca = folder / "tls" / "ca.pem"
        self._root_password = secrets.token_urlsafe(24)
        self._root_file = folder / "root"
        self._log = folder / "said"
        self._config = folder / "slapd.conf"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ldaps://127.0.0.1:{self.port}"

    def create(self) -> None:
        """Make its configuration and what is in it at the beginning."""
        names = {"folder": self.folder, "base": BASE, "services": SERVICES, "roles": ROLES, "root": ROOT}
        names |= {"provisioner": PROVISIONER, "nobody": NOBODY}
        authority = Authority(self.folder / "tls")
        authority.issue("server")
        self._config.write_text(CONFIG.format(**names, secret=self._root_password))
        self._root_file.touch(mode=0o600)
        self._root_file.write_text(self._root_password)
        content = self.folder / "content.ldif"
        content.write_text(CONTENT.format(**names, password=self.password))
        for name in ("data", "log"):
            (self.folder / name).mkdir()
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, OWNER, OWNER)
        argv = [SERVER, "-T", "add", "-q", "-f", str(self._config), "-b", BASE, "-l", str(content)]
        assert start(argv, self._log, user=OWNER).wait() == 0, self.said()

    def start(self) -> None:
        """Start it, and wait until it answers; fine if it runs."""
        if self._process is not None:
            return
        listen = f"{self.url}/ {self._socket}/"
        argv = [SERVER, "-f", str(self._config), "-d", "stats", "-h", listen]
        self._process = start(argv, self._log, user=OWNER)
        assert wait_for(lambda: self._as_root("ldapwhoami").returncode == 0, self._process), self.said()

    def stop(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def said(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    # -- what its root does --------------------------------------------------------------------------------------

    @property
    def _socket(self) -> str:
        return "ldapi://" + str(self.folder / "socket").replace("/", "%2F")

    def _as_root(self, program: str, *more: str, given: str = "") -> subprocess.CompletedProcess[str]:
        argv = [program, "-x", "-H", self._socket, "-D", ROOT, "-y", str(self._root_file), *more]
        return subprocess.run(argv, input=given, capture_output=True, text=True, check=False)

    def change(self, ldif: str) -> None:
        """What an administrator does by hand."""
        done = self._as_root("ldapmodify", given=ldif)
        assert done.returncode == 0, done.stderr

    def find(self, base: str, scope: str = "sub", where: str = "(objectClass=*)") -> list[dict[str, list[str]]]:
        """Entries with all that they have; none if there is no `base`."""
        more = ["-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope, where, "*", "+"]
        found = self._as_root("ldapsearch", *more)
        assert found.returncode in (0, 32), found.stderr
        return [_entry(block) for block in found.stdout.split("\n\n") if block.strip()]

    def new_roles(self, *names: str) -> None:
        """Groups with nobody in them."""
        groups = (f"dn: cn={name},{ROLES}\nobjectClass: groupOfNames\nmember: {NOBODY}\n" for name in names)
        done = self._as_root("ldapadd", given="\n".join(groups))
        assert done.returncode == 0, done.stderr

    # -- what is there -------------------------------------------------------------------------------------------

    @staticmethod
    def dn(account: str) -> str:
        return f"uid={account},{SERVICES}"

    def account(self, account: str) -> dict[str, list[str]] | None:
        """Its entry, None if there is none."""
        found = self.find(self.dn(account), "base")
        return found[0] if found else None

    def roles(self, account: str) -> set[str]:
        """The groups that it is a member of, whether it is there or not."""
        found = self.find(ROLES, "one", f"(member={self.dn(account)})")
        return {entry["cn"][0] for entry in found}

    def accepts(self, account: str, password: str) -> bool:
        """Whether one can log in, for real, over TLS."""
        argv = ["ldapwhoami", "-x", "-H", self.url, "-D", self.dn(account), "-y", "/dev/stdin"]
        env = {"PATH": os.environ["PATH"], "LDAPTLS_CACERT": str(self.ca)}
        asked = subprocess.run(argv, env=env, input=password, capture_output=True, text=True, check=False)
        assert asked.returncode in (0, 49), asked.stderr
        return asked.returncode == 0

    def changes(self, account: str = "") -> Counter[Change]:
        """What the server has changed, by its own log: all, or what is about one account."""
        found = self.find("cn=log", "one", "(&(objectClass=auditWriteObject)(reqResult=0))")
        changes = (_change(entry) for entry in found if not account or self._is_about(entry, account))
        return Counter(changes)

    def _is_about(self, entry: dict[str, list[str]], account: str) -> bool:
        dn = self.dn(account)
        return entry["reqDN"] == [dn] or any(line.endswith(dn) for line in entry.get("reqMod", []))


def _entry(block: str) -> dict[str, list[str]]:
    """One entry of LDIF, values decoded."""
    entry: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, _, value = line.partition(":")
        if value.startswith(":"):
            value = base64.b64decode(value[1:]).decode(errors="replace")
        entry.setdefault(name, []).append(value.strip())
    return entry


def _change(entry: dict[str, list[str]]) -> Change:
    attributes: frozenset[str] = frozenset()
    if entry["reqType"] == ["modify"]:
        attributes = frozenset(line.split(":")[0] for line in entry["reqMod"]) - _BOOKKEEPING
    return Change(entry["reqType"][0], entry["reqDN"][0], entry["reqAuthzID"][0], attributes)


_BOOKKEEPING = {"entryCSN", "modifiersName", "modifyTimestamp"}


@contextlib.contextmanager
def openldap_server() -> Iterator[OpenLdap]:
    """A server, running."""
    with place("openldap") as folder:
        server = OpenLdap(folder)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def openldap() -> Iterator[OpenLdap]:
    """One server."""
    if not installed:
        pytest.skip("slapd or ldap-utils is not installed")
    with openldap_server() as running:
        yield running
