"""What other tools call durun's keys, so that a habit becomes a hint instead of a puzzle.

Each table is for one place in the file: the same word means different things in different places. A value is
the whole hint. The words are those of GitHub Actions, Dagu, Ansible, Argo Workflows, Rundeck, StackStorm, AWS
Systems Manager documents and shell habits.
"""

from __future__ import annotations

from collections.abc import Mapping

NOT_YET: Mapping[str, frozenset[str]] = {
    "targets": frozenset({"http"}),
}
"""Keys of the language that this version doesn't have, by the title of the place."""

_IF = "write `if: EXPRESSION`"
_RETRY = "write `retry: {max_attempts: 3, delay: 10s}`"
_NEEDS = "write `needs: [ID, …]`"
_TARGETS = "write `targets:`, a list; each one is `target` in expressions"
_TIMEOUT = "write `timeout:` with a unit, such as 10m"
_RUN = "write `run:`; a text is a script, a list is a command"
_GROUP = "write `steps:` inside a step to make a group"
_FINALLY = "steps under the top-level `finally:` are run whatever happened"
_OUTPUTS = "write `outputs: {NAME: {from: stdout}}`, and read it as steps.ID.outputs.NAME"
_INPUTS = "write `inputs:` at the top of the file"
_CONTINUE = "write `continue_on_error: true`"
_DIRECTORY = "write `working_directory:`"
_PARALLEL = "write `max_parallel:`"
_FAILURES = "write `max_failures:`, a number or a percentage of the targets"
_GROUP_NAME = "write `group:`"
_ON_CONFLICT = "write `on_conflict:`; it is fail, wait or skip"
_NOTIFY = "write `notify: [{events: [failed], run: …}]`"
_ONE_RUN = "write `concurrency: {group: NAME}`: no two runs of a group at once"
_ORDER = "steps are run in file order; `needs` on a later step names what comes before it"
_ON_FAILURE = "write `on_failure:` (stop or rollback) at the top of the file; `finally` steps are run whatever happened"
_UNDO = "write `rollback: {run: …}`"
_ENV = "write `env: {NAME: value}`"
_STEPS = "write `steps:`, a list"
_VERIFY = "`verify: {run: …, before: true}` asks first whether the step is already done; `if` skips it"
_ELSEWHERE = "durun runs commands where it is started; reach other hosts with `targets` and ssh in `run`"
_SUDO = "write sudo in `run`; `requires: {groups: […]}` says who may run it"
_SERIAL = "write `serial: [1, 10%, 100%]` beside `targets`"
_SCHEDULE = "durun doesn't schedule: call `durun run` from cron or a systemd timer"
_SHELL = "write `shell:` on the step, or under `defaults`"
_SECRETS = "write `secrets: {NAME: {keyring: {service: …, username: …}}}` at the top of the file"
_NAMED = "declare it under the top-level `secrets:`, and name it in `env:`, `stdin:` or `secret_files:`"
_SECRET = "write `secret: true`"
_REDACT = "write `redact: true`"
_PUT = "write `put:`"
_HTTP = "write `http: {method: …, url: …}`"
_WAIT = "write `wait: 30s`; people are asked by `approval:`"
_APPROVAL = "write `approval: {message: …, approvers: [NAME]}`"
_RUNBOOK = "write `runbook: {file: PATH, inputs: {…}}`"
_USES = "write `uses: NAME`, and what it is given under `with:`"
_COMMAND = "write `command: [PROGRAM, ARGUMENT, …]`, which prints the value"

_EVERYWHERE: Mapping[str, str] = {
    "timeout-minutes": _TIMEOUT, "timeoutSeconds": _TIMEOUT, "timeout_seconds": _TIMEOUT, "timeout_sec": _TIMEOUT,
    "timeoutSec": _TIMEOUT, "activeDeadlineSeconds": _TIMEOUT, "deadline": _TIMEOUT,
    "working-directory": _DIRECTORY, "workingDir": _DIRECTORY, "workdir": _DIRECTORY, "working_dir": _DIRECTORY,
    "cwd": _DIRECTORY, "dir": _DIRECTORY, "chdir": _DIRECTORY, "directory": _DIRECTORY,
    "environment": _ENV, "environ": _ENV,
}  # fmt: skip

_STEP: Mapping[str, str] = {
    **_EVERYWHERE,
    "depends_on": _NEEDS, "dependsOn": _NEEDS, "depends-on": _NEEDS, "depends": _NEEDS, "dependencies": _NEEDS,
    "after": _NEEDS, "requires": _NEEDS, "need": _NEEDS,
    "when": _IF, "condition": _IF, "only_if": _IF, "unless": _IF, "if_": _IF, "where": _IF,
    "foreach": _TARGETS, "for_each": _TARGETS, "forEach": _TARGETS, "loop": _TARGETS, "with_items": _TARGETS,
    "with-items": _TARGETS, "withItems": _TARGETS, "withParam": _TARGETS, "withSequence": _TARGETS, "items": _TARGETS,
    "with_list": _TARGETS, "with_dict": _TARGETS, "hosts": _TARGETS, "each": _TARGETS,
    "strategy": "write `targets: {matrix: {A: […], B: […]}}`", "matrix": "write `targets: {matrix: {A: […], B: […]}}`",
    "parallel": "write `targets:` and `max_parallel:`; steps with `needs: []` start at once",
    "command": _RUN, "commands": _RUN, "cmd": _RUN, "script": _RUN, "exec": _RUN, "action": _RUN, "do": _RUN,
    "raw": _RUN, "args": "write `run: [COMMAND, ARGUMENT, …]`", "container": _RUN, "image": _RUN, "executor": _RUN,
    "plugin": _USES,
    "win_shell": _RUN, "ansible.builtin.shell": _RUN, "ansible.builtin.command": _RUN, "template": _RUN,
    "include": _RUNBOOK, "include_tasks": _RUNBOOK, "import_tasks": _RUNBOOK, "import_playbook": _RUNBOOK,
    "import": _RUNBOOK, "call": _RUNBOOK, "workflow": _RUNBOOK, "workflowTemplateRef": _RUNBOOK, "jobref": _RUNBOOK,
    "tasks": _GROUP, "block": _GROUP, "sequence": _GROUP, "dag": _GROUP, "group": _GROUP, "substeps": _GROUP,
    "always": _FINALLY, "finally": _FINALLY, "onExit": _FINALLY, "cleanup": _FINALLY,
    "rescue": _ON_FAILURE, "on_error": _ON_FAILURE, "onError": _ON_FAILURE, "on_failure": _ON_FAILURE,
    "on-error": _ON_FAILURE, "onFailure": _ON_FAILURE, "on-failure": _ON_FAILURE, "errorhandler": _ON_FAILURE,
    "handlerOn": _ON_FAILURE, "handlers": _ON_FAILURE, "notify": "make it a step of its own, with `if`",
    "retries": _RETRY, "retryPolicy": _RETRY, "retry_policy": _RETRY, "retryStrategy": _RETRY, "maxAttempts": _RETRY,
    "max_attempts": _RETRY, "attempts": _RETRY, "delay": _RETRY, "until": _RETRY, "max_retries": _RETRY,
    "retry_delay": _RETRY, "backoff": _RETRY, "repeatPolicy": _RETRY,
    "ignore_errors": _CONTINUE, "continueOn": _CONTINUE, "continue-on-error": _CONTINUE, "keepgoing": _CONTINUE,
    "failed_when": "write `ok_exit_codes: [0, …]`", "allow_failure": _CONTINUE, "ignore_failure": _CONTINUE,
    "isCritical": "a failing step stops the run unless it says `continue_on_error: true`",
    "changed_when": _VERIFY, "creates": _VERIFY, "removes": _VERIFY, "preconditions": _VERIFY, "precondition": _VERIFY,
    "any_errors_fatal": _FAILURES, "max_fail_percentage": _FAILURES, "fail-fast": _FAILURES, "fail_fast": _FAILURES,
    "failFast": _FAILURES, "max_errors": _FAILURES, "maxErrors": _FAILURES,
    "throttle": _PARALLEL, "forks": _PARALLEL, "parallelism": _PARALLEL, "concurrency": _PARALLEL,
    "threadcount": _PARALLEL, "nodeThreadcount": _PARALLEL, "maxConcurrency": _PARALLEL, "max-parallel": _PARALLEL,
    "maxActiveRuns": _PARALLEL, "batch": _SERIAL, "batch_size": _SERIAL, "waves": _SERIAL,
    "register": _OUTPUTS, "publish": _OUTPUTS, "output": _OUTPUTS, "stdout": _OUTPUTS, "set_fact": _OUTPUTS,
    "next": _ORDER, "nextStep": _ORDER, "goto": _ORDER, "isEnd": _ORDER, "on_success": _ORDER, "on-success": _ORDER,
    "onSuccess": _ORDER,
    "become": _SUDO, "become_user": _SUDO, "sudo": _SUDO, "user": _SUDO, "privileged_user": _SUDO,
    "delegate_to": _ELSEWHERE, "nodefilters": _ELSEWHERE, "nodeStep": _ELSEWHERE, "runs-on": _ELSEWHERE,
    "run_once": "leave `targets` away", "node": _ELSEWHERE, "host": _ELSEWHERE,
    "vars": _ENV, "variables": _ENV, "params": _ENV, "parameters": _ENV, "arguments": _ENV, "inputs": _ENV,
    "input": "write `stdin:` for text that the command reads, `env:` for variables",
    "no_log": _REDACT, "no-log": _REDACT, "mask": _REDACT, "sensitive": _REDACT, "silent": _REDACT,
    "hide_output": _REDACT,
    "secrets": _NAMED, "secret_env": _NAMED, "vault": _NAMED, "credentials": _NAMED, "envFrom": _NAMED,
    "secretKeyRef": _NAMED, "valueFrom": _NAMED, "with_vault": _NAMED, "secret_file": "write `secret_files:`",
    "password": "write `generate: {password: {}}`", "token": "write `generate: {token: {}}`",
    "keyring": "write `secret: {put: {service: …, username: …, value: …}}`",
    "undo": _UNDO, "revert": _UNDO, "compensate": _UNDO, "compensation": _UNDO, "compensator": _UNDO,
    "on_rollback": _UNDO, "rollback_command": _UNDO, "down": _UNDO,
    "signalOnStop": "a step that is stopped gets INT, then TERM, then KILL",
    "title": "write `name:`", "label": "write `name:`", "desc": "write `description:`",
    "comment": "write `description:`",
    "uri": _HTTP, "url": _HTTP, "webhook": _HTTP, "rest": _HTTP, "request": _HTTP, "get_url": _HTTP,
    "http_request": _HTTP, "ansible.builtin.uri": _HTTP, "fetch": _HTTP, "curl": _HTTP, "method": _HTTP,
    "key": "write `id:`, or `target_key:` beside `targets`", "tags": "write `controls:` for framework controls",
    "uuid": "write `generate: {uuid: {}}`", "that": "write `assert: {that: EXPRESSION, message: …}`",
    "fail": "write `assert: {that: EXPRESSION, message: …}`", "exit_codes": "write `ok_exit_codes:`",
    "pause": _WAIT, "sleep": _WAIT, "confirm": _APPROVAL, "prompt": _APPROVAL, "shell_script": _RUN, "bash": _RUN,
    "check": "write `verify: {run: …}`", "test": "write `verify: {run: …}`", "interpreter": _SHELL,
}  # fmt: skip

_TOP: Mapping[str, str] = {
    **_EVERYWHERE,
    "jobs": _STEPS, "tasks": _STEPS, "templates": _STEPS, "dag": _STEPS, "mainSteps": _STEPS, "sequence": _STEPS,
    "workflow": _STEPS, "pipeline": _STEPS, "stages": _STEPS, "commands": _STEPS, "step": _STEPS, "plays": _STEPS,
    "run": "a command is a step: write `steps:` and, in a step, `run:`",
    "version": "write `durun: 1`", "schemaVersion": "write `durun: 1`", "apiVersion": "write `durun: 1`",
    "kind": "write `durun: 1`", "metadata": "write `name:` and `description:` at the top of the file",
    "spec": "the keys stand at the top of the file: `steps:`, `inputs:` …", "title": "write `name:`",
    "id": "write `name:`", "on": _SCHEDULE, "schedule": _SCHEDULE, "cron": _SCHEDULE, "trigger": _SCHEDULE,
    "params": "write `inputs:`", "parameters": "write `inputs:`", "input": "write `inputs:`",
    "options": "write `inputs:`", "arguments": "write `inputs:`", "vars": "write `inputs:`, or `env:` for variables",
    "vars_prompt": "write `inputs:`", "variables": "write `inputs:`, or `env:` for variables",
    "output": "write `outputs:`",
    "hosts": "hosts are a step's `targets:`; " + _ELSEWHERE, "runs-on": _ELSEWHERE, "nodefilters": _ELSEWHERE,
    "strategy": _TARGETS, "become": _SUDO, "targets": "`targets:` belongs on a step; with `steps:` in it, on a group",
    "handlers": _FINALLY, "always": _FINALLY, "onExit": _FINALLY, "handlerOn": _FINALLY, "post_tasks": _FINALLY,
    "pre_tasks": _STEPS, "onFailure": _ON_FAILURE, "on_error": _ON_FAILURE, "on-failure": _ON_FAILURE,
    "rescue": _ON_FAILURE, "parallelism": _PARALLEL, "maxActiveSteps": _PARALLEL, "max-parallel": _PARALLEL,
    "forks": _PARALLEL, "concurrency_limit": _PARALLEL, "any_errors_fatal": _FAILURES + ", on a step",
    "max_fail_percentage": _FAILURES + ", on a step", "serial": _SERIAL + ", on a step", "threadcount": _PARALLEL,
    "nodeThreadcount": _PARALLEL, "keepgoing": _CONTINUE + " on a step", "fail-fast": _FAILURES + ", on a step",
    "shell": "write `defaults: {shell: …}`", "timeout": "write `defaults: {timeout: …}`",
    "retry": "write `defaults: {retry: …}`", "retryStrategy": "write `defaults: {retry: …}`",
    "retryPolicy": "write `defaults: {retry: …}`", "on_in_doubt": "write `defaults: {on_in_doubt: …}`",
    "preconditions": "write `requires:`, or a first step with `assert:`", "precondition": "write `requires:`",
    "desc": "write `description:`", "signalOnStop": "a step that is stopped gets INT, then TERM, then KILL",
    "permissions": "write `requires: {groups: […]}`", "needs": "`needs:` belongs on a step",
    "secret": _SECRETS, "vault": _SECRETS, "credentials": _SECRETS, "keyring": _SECRETS, "vars_files": _SECRETS,
    "vault_password_file": _SECRETS, "secret_files": "`secret_files:` belongs on a step",
    "redact": "`redact:` belongs on a step", "no_log": "`redact:` belongs on a step",
    "notifications": _NOTIFY, "alerts": _NOTIFY, "mailOn": _NOTIFY, "notification": _NOTIFY, "hooks": _NOTIFY,
    "mutex": _ONE_RUN, "lock": _ONE_RUN, "locks": _ONE_RUN, "semaphore": _ONE_RUN, "synchronization": _ONE_RUN,
    "singleton": _ONE_RUN, "exclusive": _ONE_RUN, "single_instance": _ONE_RUN, "concurrency_group": _ONE_RUN,
    "concurrencyPolicy": _ONE_RUN, "maxActiveRuns": _ONE_RUN, "multipleExecutions": _ONE_RUN, "queue": _ONE_RUN,
    "group": _ONE_RUN, "on_conflict": _ONE_RUN,
    "if": "`if:` belongs on a step", "working_directory": "`working_directory:` belongs on a step",
}  # fmt: skip

_EVERY = "write `every:` with a unit, such as 10s"
_FOR_HOW_LONG = "write `timeout:` with a unit, such as 30m: it is asked until then"
_HOLDS = "write `until:`, such as `result.status == 200`"
_HOPELESS = "write `fail_when:`"
_EVENTS = "write `events: [failed, waiting, in_doubt, succeeded]`, those that matter"
_SERVICE = "write `apprise: URL`, of a service that Apprise knows"
_ATTEMPTS = "write `max_attempts:`, the first attempt counted"
_RETRY_KEYS: Mapping[str, str] = {
    "attempts": _ATTEMPTS, "limit": _ATTEMPTS, "max": _ATTEMPTS, "count": _ATTEMPTS, "retries": _ATTEMPTS,
    "max_retries": _ATTEMPTS, "maxAttempts": _ATTEMPTS, "maximum_attempts": _ATTEMPTS, "times": _ATTEMPTS,
    "interval": "write `delay:`", "intervalSec": "write `delay:` with a unit",
    "delaySeconds": "write `delay:` with a unit",
    "wait": "write `delay:`", "initial_interval": "write `delay:`", "factor": "write `backoff:`",
    "multiplier": "write `backoff:`", "backoff_coefficient": "write `backoff:`", "maxDuration": "write `max_delay:`",
    "maxDelay": "write `max_delay:`", "maxIntervalSec": "write `max_delay:` with a unit",
    "exitCode": "write `on_exit_codes:`", "exit_codes": "write `on_exit_codes:`", "on": "write `on_exit_codes:`",
    "retryPolicy": "write `on_exit_codes:`", "when": "write `on_exit_codes:`",
}  # fmt: skip

_VERIFY_KEYS: Mapping[str, str] = {
    **_EVERYWHERE,
    "command": _RUN, "cmd": _RUN, "script": _RUN, "ok_exit_codes": "write `done_on:`", "done": "write `done_on:`",
    "uri": _HTTP, "url": _HTTP, "expect_status": "write `done_on:`", "status_code": "write `done_on:`",
    "not_done": "write `not_done_on:`", "failed_on": "write `not_done_on:`", "exit_codes": "write `done_on:`",
    "retry": "an answer that isn't one is unknown; write `settle:` to ask twice",
}  # fmt: skip

_ROLLBACK_KEYS: Mapping[str, str] = {
    **_EVERYWHERE,
    "command": _RUN, "cmd": _RUN, "script": _RUN, "uri": _HTTP, "url": _HTTP,
    "if": "write `when: [succeeded, failed, …]`, how the step stands when it is undone",
    "on": "write `when: [succeeded, failed, …]`", "retries": _RETRY,
    "outputs": "a rollback gives none; it has the step's outputs as OUTPUT_<NAME>",
}  # fmt: skip

_BODY = "write `json:`, `form:` or `body:`"
_FILE = "write `body: {file: PATH}`"
_STATUS = "write `expect_status:`, a list such as [200, 201] or 2xx"
_AUTH = "write `auth: {basic: {username: …, password: …}}`, or `auth: {bearer: …}`"
_BEARER = "write `auth: {bearer: …}`"
_TLS = "write `tls: {ca: …, cert: …, key: …}`"
_CHECKED = "a server's certificate is always checked: name who signed it, `tls: {ca: PATH}`"
_BESIDE = "write `timeout:` beside `http:`, for all of the attempt"
_HTTP_KEYS: Mapping[str, str] = {
    "uri": "write `url:`", "address": "write `url:`", "endpoint": "write `url:`", "href": "write `url:`",
    "verb": "write `method:`", "type": "write `method:`", "request": "write `method:`",
    "header": "write `headers:`", "params": "write `query:`", "parameters": "write `query:`", "qs": "write `query:`",
    "query_params": "write `query:`", "query_string": "write `query:`", "searchParams": "write `query:`",
    "data": _BODY, "payload": _BODY, "content": _BODY, "data_json": "write `json:`", "body_format": _BODY,
    "form_data": "write `form:`", "formData": "write `form:`", "fields": "write `form:`",
    "file": _FILE, "src": _FILE, "body_file": _FILE, "upload": _FILE,
    "status": _STATUS, "status_code": _STATUS, "status_codes": _STATUS, "expected_status": _STATUS,
    "expected_status_codes": _STATUS, "expect": _STATUS, "success_codes": _STATUS, "successCondition": _STATUS,
    "username": _AUTH, "user": _AUTH, "password": _AUTH, "url_username": _AUTH, "url_password": _AUTH,
    "basic_auth": _AUTH, "authentication": _AUTH, "authorization": _AUTH, "credentials": _AUTH,
    "token": _BEARER, "bearer": _BEARER, "bearer_token": _BEARER,
    "verify": _CHECKED, "validate_certs": _CHECKED, "verify_ssl": _CHECKED, "ssl_verify": _CHECKED,
    "insecure": _CHECKED, "insecureSkipVerify": _CHECKED, "skip_tls_verify": _CHECKED, "skipTLSVerify": _CHECKED,
    "ca": _TLS, "cacert": _TLS, "ca_cert": _TLS, "ca_path": _TLS, "ca_bundle": _TLS, "cert": _TLS, "client_cert": _TLS,
    "client_key": _TLS, "key": _TLS, "ssl": _TLS,
    "follow_redirects": "write `redirects:`, a number", "max_redirects": "write `redirects:`",
    "timeout": _BESIDE, "timeoutSeconds": _BESIDE, "timeout_seconds": _BESIDE, "connect_timeout": _BESIDE,
    "retry": "write `retry:` beside `http:`", "retries": "write `retry:` beside `http:`",
    "proxy": "write `env: {HTTPS_PROXY: …}` beside `http:`", "proxies": "write `env: {HTTPS_PROXY: …}` beside `http:`",
    "outputs": "write `outputs:` beside `http:`",
    "return_content": "write `outputs: {NAME: {from: body}}` beside `http:`",
    "idempotency_key": "every method that changes something gets the header Idempotency-Key by itself",
}  # fmt: skip

_INPUT_KEYS: Mapping[str, str] = {
    "choices": "write `enum:`", "options": "write `enum:`", "values": "write `enum:`", "allowed": "write `enum:`",
    "allowedValues": "write `enum:`", "regex": "write `pattern:`", "validate": "write `pattern:`",
    "allowedPattern": "write `pattern:`", "validation_regex": "write `pattern:`", "value": "write `default:`",
    "min": "write `minimum:`", "max": "write `maximum:`", "min_length": "write `minLength:`",
    "max_length": "write `maxLength:`", "optional": "an input is optional unless it says `required: true`",
    "desc": "write `description:`", "prompt": "write `description:`",
    "sensitive": _SECRET, "secure": _SECRET, "private": _SECRET, "no_log": _SECRET, "writeOnly": _SECRET,
    "password": _SECRET, "hidden": _SECRET, "mask": _SECRET, "noEcho": _SECRET, "NoEcho": _SECRET,
}  # fmt: skip

_OUTPUT_KEYS: Mapping[str, str] = {
    "value": "a command writes NAME=VALUE to $DURUN_OUTPUT, or says `from: stdout`", "path": "write `json:`",
    "jsonpath": "write `json:`, a JMESPath", "selector": "write `json:`, a JMESPath", "source": "write `from:`",
    "sensitive": _SECRET, "secure": _SECRET, "private": _SECRET, "no_log": _SECRET, "mask": _SECRET, "redact": _SECRET,
}  # fmt: skip

_TARGETS_KEYS: Mapping[str, str] = {
    "command": _RUN, "script": _RUN, "exec": _RUN, "path": "write `file:`", "inventory": "write `file:`",
    "list": "write the list itself: `targets: [a, b]`", "items": "write the list itself: `targets: [a, b]`",
    "hosts": "write the list itself: `targets: [a, b]`",
    "secret_fields": "write `secret_fields:` beside `targets:`", "target_key": "write `target_key:` beside `targets:`",
}  # fmt: skip

_USERNAME = "write `username:`"
_KEYRING_KEYS: Mapping[str, str] = {
    "user": _USERNAME, "account": _USERNAME, "name": _USERNAME, "key": _USERNAME, "login": _USERNAME,
    "system": "write `service:`", "collection": "write `service:`", "server": "write `service:`",
    "label": "write `service:`", "domain": "write `service:`",
}  # fmt: skip
_VALUE_KEYS: Mapping[str, str] = {
    **_KEYRING_KEYS, "password": "write `value:`", "secret": "write `value:`", "from": "write `value:`",
}  # fmt: skip

_IN_KEYRING = "write `keyring: {service: …, username: …}`"
_CREDENTIAL = "write `file: NAME`: a name alone is looked up among systemd's credentials first"
_VARIABLE = "write `env: NAME`"
_IN_CLEAR = "a value never stands in a runbook: `durun secret set` keeps it in the keyring"
_ASKED = "write an input with `secret: true`: it is asked for at the start"

PROVIDERS: Mapping[str, str] = {
    "vault": _COMMAND, "hashicorp_vault": _COMMAND, "hashivault": _COMMAND, "pass": _COMMAND, "gopass": _COMMAND,
    "op": _COMMAND, "onepassword": _COMMAND, "bitwarden": _COMMAND, "bw": _COMMAND, "lastpass": _COMMAND,
    "keepass": _COMMAND, "sops": _COMMAND, "age": _COMMAND, "gpg": _COMMAND, "aws": _COMMAND, "gcp": _COMMAND,
    "aws_secretsmanager": _COMMAND, "aws_ssm": _COMMAND, "ssm": _COMMAND, "azure_keyvault": _COMMAND,
    "azure": _COMMAND, "ansible_vault": _COMMAND, "cmd": _COMMAND, "exec": _COMMAND, "run": _COMMAND,
    "script": _COMMAND, "shell": _COMMAND, "argv": _COMMAND,
    "keychain": _IN_KEYRING, "libsecret": _IN_KEYRING, "secret_service": _IN_KEYRING, "kwallet": _IN_KEYRING,
    "service": _IN_KEYRING, "username": _IN_KEYRING,
    "environment": _VARIABLE, "variable": _VARIABLE, "var": _VARIABLE, "env_var": _VARIABLE, "from_env": _VARIABLE,
    "path": "write `file: PATH`", "credential": _CREDENTIAL, "systemd": _CREDENTIAL,
    "value": _IN_CLEAR, "text": _IN_CLEAR, "plain": _IN_CLEAR, "default": _IN_CLEAR,
    "prompt": _ASKED, "ask": _ASKED, "input": _ASKED,
}  # fmt: skip
"""Hints for what other tools, and habits, call the places where secrets are kept."""

_WAIT_FOR_KEYS: Mapping[str, str] = {
    "interval": _EVERY, "delay": _EVERY, "poll_interval": _EVERY, "sleep": _EVERY, "retry_delay": _EVERY,
    "retries": _FOR_HOW_LONG, "attempts": _FOR_HOW_LONG, "max_attempts": _FOR_HOW_LONG, "deadline": _FOR_HOW_LONG,
    "max_wait": _FOR_HOW_LONG, "timeoutSeconds": _FOR_HOW_LONG, "timeout_seconds": _FOR_HOW_LONG,
    "condition": _HOLDS, "when": _HOLDS, "success_when": _HOLDS, "successCondition": _HOLDS, "expect_status": _HOLDS,
    "failure_when": _HOPELESS, "failureCondition": _HOPELESS, "failed_when": _HOPELESS,
    "command": _RUN, "cmd": _RUN, "script": _RUN, "url": _HTTP, "uri": _HTTP,
    "env": "`env:` belongs beside `wait_for:`", "outputs": "`outputs:` belongs beside `wait_for:`",
}  # fmt: skip

_NOTICE_KEYS: Mapping[str, str] = {
    "on": _EVENTS, "when": _EVENTS, "event": _EVENTS, "if": _EVENTS, "command": _RUN, "script": _RUN,
    "webhook": _HTTP, "url": _HTTP, "slack": _SERVICE, "mail": _SERVICE, "email": _SERVICE, "pagerduty": _SERVICE,
}  # fmt: skip

FOREIGN: Mapping[str, Mapping[str, str]] = {
    "the runbook": _TOP,
    "a step": _STEP,
    "retry": _RETRY_KEYS,
    "verify": _VERIFY_KEYS,
    "privileged": {
        **dict.fromkeys(
            ("for", "timeout", "ttl", "duration", "expires", "expiry", "limit"), "write `max:` with a unit"
        ),
        **dict.fromkeys(("till", "step", "end", "while"), "write `until: STEP`"),
    },
    "rollback": _ROLLBACK_KEYS,
    "http": _HTTP_KEYS,
    "auth": {"token": "write `bearer:`", "digest": _AUTH, "user": _AUTH, "username": _AUTH, "password": _AUTH},
    "basic": {"user": _USERNAME, "name": _USERNAME, "pass": "write `password:`"},
    "tls": {
        **dict.fromkeys(("verify", "insecure", "validate_certs", "check_hostname"), _CHECKED),
        **dict.fromkeys(("ca_file", "cafile", "ca_cert", "cacert", "ca_bundle"), "write `ca:`"),
        **dict.fromkeys(("cert_file", "certfile", "client_cert", "certificate"), "write `cert:`"),
        **dict.fromkeys(("key_file", "keyfile", "client_key", "private_key"), "write `key:`"),
    },
    "an input": _INPUT_KEYS,
    "an output": _OUTPUT_KEYS,
    "targets": _TARGETS_KEYS,
    "keyring": _KEYRING_KEYS,
    "put": _VALUE_KEYS,
    "delete": _KEYRING_KEYS,
    "secret": {
        "set": _PUT,
        "store": _PUT,
        "write": _PUT,
        "add": _PUT,
        "save": _PUT,
        "create": _PUT,
        "update": _PUT,
        "get": _NAMED,
        "read": _NAMED,
        "remove": "write `delete:`",
        "unset": "write `delete:`",
    },
    "concurrency": {
        "name": _GROUP_NAME,
        "key": _GROUP_NAME,
        "id": _GROUP_NAME,
        "lock": _GROUP_NAME,
        "mutex": _GROUP_NAME,
        "cancel-in-progress": "durun stops no run for another one; write `on_conflict:`, which is fail, wait or skip",
        "policy": _ON_CONFLICT,
        "strategy": _ON_CONFLICT,
        "mode": _ON_CONFLICT,
        "if_held": _ON_CONFLICT,
        "queue": "write `on_conflict: wait`",
        "release": "write `release_on: [waiting, failed]`",
        "limit": "one run of a group at a time; `max_parallel:` says how many tasks of a run",
        "max": "one run of a group at a time; `max_parallel:` says how many tasks of a run",
    },
    "wait_for": _WAIT_FOR_KEYS,
    "a notice": _NOTICE_KEYS,
    "assert": {"msg": "write `message:`", "fail_msg": "write `message:`", "condition": "write `that:`"},
    "idempotent": {"for": "write `ttl:`", "expires": "write `ttl:`", "key": "the key is $DURUN_IDEMPOTENCY_KEY"},
}
"""Hints for the words of other tools, by the title of the place in the schema."""

TYPES: Mapping[str, str] = {
    "str": "string", "text": "string", "int": "integer", "long": "integer", "float": "number", "double": "number",
    "bool": "boolean", "list": "array", "tuple": "array", "dict": "object", "map": "object", "mapping": "object",
    "String": "string", "StringList": "array", "Boolean": "boolean", "Integer": "integer", "StringMap": "object",
}  # fmt: skip
"""Other names of JSON's types."""


CONFLICTS: Mapping[str, str] = {
    "queue": "wait", "enqueue": "wait", "block": "wait", "forbid": "fail", "error": "fail", "refuse": "fail",
    "reject": "fail", "drop": "skip", "ignore": "skip", "cancel": "skip", "Forbid": "fail",
}  # fmt: skip
"""Other names of what a start does that finds its group held."""


def hint_for(place: str, key: str, permitted: frozenset[str]) -> str:
    """What to write instead of an unknown key, or an empty string. `place` is a title of the schema."""
    known = FOREIGN.get(place, {}).get(key)
    if known:
        return known
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in key).replace("-", "_").lstrip("_")
    if snake in permitted:
        return f"write `{snake}:` (keys are snake_case)"
    return ""
