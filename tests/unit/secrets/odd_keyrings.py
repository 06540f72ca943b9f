"""Backends that misbehave, for PYTHON_KEYRING_BACKEND."""

from __future__ import annotations

import getpass
import os
import signal
import sys

from keyring.backend import KeyringBackend
from keyring.backends import null
from keyring.errors import PasswordSetError


class _Odd(KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        return None

    def set_password(self, service, username, password):
        raise PasswordSetError(f"can't store {password}\nhere")

    def delete_password(self, service, username):
        raise NotImplementedError


class CantStore(_Odd):
    pass


class Hangs(_Odd):
    def get_password(self, service, username):
        signal.pause()


class HangsAtStart(_Odd):
    def __init__(self):
        signal.pause()


class Ends(_Odd):
    def get_password(self, service, username):
        os._exit(1)


class Talks(_Odd):
    def get_password(self, service, username):
        print('{"value": "what a library prints"}', flush=True)
        os.system("echo more; echo and more >&2")
        sys.stderr.write("and this\n")
        return "hunter22"


class Asks(_Odd):
    """As file backends with a passphrase do: on the terminal, wherever stdin is."""

    def get_password(self, service, username):
        return getpass.getpass()


class NotImplementedForReading(_Odd):
    def get_password(self, service, username):
        raise NotImplementedError


class SilentlyNull(null.Keyring):
    priority = 9


class UnencryptedFileKeyring(_Odd):
    scheme = "no encryption"


class Rot0(_Odd):
    def encrypt(self, password, assoc=None):
        return password


class Encrypts(_Odd):
    scheme = "[PBKDF2] AES256.CFB"

    def encrypt(self, password, assoc=None):
        return self.key + password


class ForgetfulKeyring(_Odd):
    def set_password(self, service, username, password):
        pass
