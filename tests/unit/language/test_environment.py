"""Names that make programs run other code are known, and no others."""

from __future__ import annotations

import pytest

from durun.language.environment import makes_other_code_run


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS",
        "PS4", "IFS", "BASH_FUNC_ls%%", "PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT", "PERL5LIB", "NODE_OPTIONS",
        "RUBYOPT", "JAVA_TOOL_OPTIONS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_CONFIG_VALUE_0", "SSH_ASKPASS",
    ],
)  # fmt: skip
def test_these_are_refused(name):
    assert makes_other_code_run(name)


@pytest.mark.parametrize(
    "name",
    [
        "HOME", "LANG", "TZ", "PGPASSWORD", "SSH_AUTH_SOCK", "AWS_PROFILE", "KUBECONFIG", "GIT_AUTHOR_NAME", "PAGER",
        "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "MY_PATH", "CLASSPATHS", "http_proxy", "SSL_CERT_FILE",
    ],
)  # fmt: skip
def test_these_are_not(name):
    assert not makes_other_code_run(name)
