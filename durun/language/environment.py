"""Names of environment variables that a runbook can't set: they change what a program runs, not what it is told.

A value may come from an input or a target, and a value must never become code. So these names are refused in `env`
and `secret_files`, and no glob of `inherit_env` lets them through.
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = frozenset(
    # shells
    {"PATH", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "IFS", "PROMPT_COMMAND", "ZDOTDIR", "GCONV_PATH"}
    # interpreters: where they look for code, what they run before it
    | {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONINSPECT", "PYTHONBREAKPOINT"}
    | {"PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH"}
    | {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "LUA_INIT", "LUA_PATH", "LUA_CPATH"}
    | {"PHPRC", "PHP_INI_SCAN_DIR", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"}
    # programs that others start
    | {"GIT_SSH", "GIT_SSH_COMMAND", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND", "GIT_ASKPASS"}
    | {"GIT_TEMPLATE_DIR", "SSH_ASKPASS", "SUDO_ASKPASS", "RSYNC_RSH", "RSYNC_CONNECT_PROG", "CVS_RSH"}
)
_PREFIXES: Final = ("LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "LUA_INIT_")


def makes_other_code_run(name: str) -> bool:
    """Whether a variable of this name would make a program run other code."""
    return name in _NAMES or name.startswith(_PREFIXES)
