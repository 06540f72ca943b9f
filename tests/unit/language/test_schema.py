"""The schema file is plain JSON Schema, and durun reads it as any validator does."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from durun.language.schema import READ_KEYWORDS, check, document_schema
from durun.language.source import parse
from durun.model.duration import PATTERN

ROOT = Path(__file__).parents[3]
NOT_READ = {"$schema", "$defs", "title", "description", "oneOf", "dependentRequired", "if", "else"}

GOOD = """
durun: 1
name: all-keys
description: Everything once.
controls: [A:1]
inputs: {role: {type: string, enum: [a, b]}, other: null, pin: {secret: true}}
secrets:
  a: {keyring: {service: s, username: "u-${{ inputs.role }}"}}
  b: {env: NAME}
  c: {file: token}
  d: {command: [pass, show, x]}
  e: {command: {argv: [pass, show, "${{ target }}"], timeout: 10s}}
env: {A: 1, B: null}
inherit_env: ["AWS_*"]
files: ["*.sql"]
requires: {commands: [psql], groups: [dba], privileges: [superuser]}
max_parallel: 4
concurrency: {group: "all-${{ inputs.role }}", on_conflict: wait, release_on: [waiting, failed]}
notify:
  - {events: [failed, waiting, in_doubt, succeeded], run: [tell], env: {A: b}, shell: sh}
  - {events: [failed], http: {url: "https://a.example/"}}
  - {events: [failed], apprise: ["mailtos://a.example"]}
defaults: {timeout: 5m, retry: {max_attempts: 2}, shell: sh, on_in_doubt: ask}
steps:
  - id: one
    name: One
    description: The first.
    needs: []
    if: inputs.role == 'a'
    run: [echo, 5, true]
    env: {X: "${{ inputs.role }}"}
    secret_files: {KEY: "${{ secrets.a }}"}
    inherit_env: [FOO]
    working_directory: /tmp
    shell: [perl, "{0}"]
    stdin: hello
    timeout: 1h30m
    retry: {max_attempts: 3, delay: 1s, backoff: 1.5, max_delay: 1m, jitter: 0.5, on_exit_codes: [1]}
    outputs: {x: {type: integer, from: stdout}, y: {json: a.b}, z: null, w: {secret: true}}
    verify: {run: x, done_on: [0], not_done_on: [1], timeout: 1s, before: true, after: false, settle: 1s, env: {A: b},
             secret_files: {F: b}}
    rollback: {run: x, when: [succeeded, failed, in_doubt, found], env: {A: b}, secret_files: {F: b}, shell: sh,
               stdin: x, working_directory: /, timeout: 1m, retry: {delay: 1s}, verify: {run: x, not_done_on: [1]},
               idempotent: {ttl: 1h}}
    privileged: {until: two, max: 4h}
    idempotent: {ttl: 24h}
    ok_exit_codes: [0, 9]
    ambiguous_exit_codes: [7]
    on_in_doubt: verify
    continue_on_error: true
    controls: [B:2]
    files: [x.sh]
    redact: true
    targets: {matrix: {a: [1], b: "${{ inputs.list }}"}}
    target_key: ${{ target.a }}
    max_parallel: ${{ inputs.n }}
    serial: [1, 10%, 100%]
    max_failures: 10%
    secret_fields: [dsn]
  - {id: two, assert: {that: true, message: m}}
  - {id: three, generate: {choice: {from: [a]}}}
  - {id: four, generate: {uuid: {}}}
  - {id: five, generate: {timestamp: null}}
  - {id: put, secret: {put: {service: s, username: u, value: "${{ secrets.b }}"}}}
  - {id: gone, secret: {delete: {service: s, username: u}}}
  - {id: taken, collect: {files: [/etc/hosts, "${{ inputs.role }}"]}}
  - {id: asked, collect: {run: [ps], as: ps.txt}}
  - {id: pause, wait: 5s}
  - {id: other, runbook: {file: other.yaml, inputs: {role: "${{ inputs.role }}"}}}
  - {id: ready, wait_for: {run: [true], until: result.exit_code == 0, fail_when: false, every: 5s, timeout: 1h}}
  - {id: up, wait_for: {http: {url: "https://a.example/"}}}
  - {id: until, wait: {until: "2026-01-31T09:15:00Z"}}
  - id: agreed
    approval: {message: "m ${{ inputs.role }}", approvers: [ada, "group:dba"], min_approvals: 2, timeout: 24h,
               allow_requester: true, fields: {window: {type: integer, minimum: 1}, why: null}}
  - {id: by_hand, manual: {instructions: do it, timeout: "${{ inputs.t }}", fields: {ok: {type: boolean}}}}
  - id: change
    http: {method: POST, url: "https://x/${{ inputs.role }}", headers: {A: b, C: 1, D: null}, query: {a: [1, 2]},
           json: {a: null}, auth: {bearer: "${{ secrets.a }}"}, tls: {ca: a, cert: b, key: c}, redirects: 3,
           expect_status: [200, 2xx], ambiguous_status: 500}
    outputs: {a: {from: body}, b: {from: status}, c: {from: {header: Location}}, d: {json: a}}
    verify: {http: {url: "https://x"}, done_on: [200, 3xx], not_done_on: [404]}
  - {id: ticket, uses: vendor.create_ticket, with: {title: x, labels: [a], token: "${{ secrets.x }}"}}
  - {id: put_file, http: {method: PUT, url: "https://x", body: {file: x}, auth: {basic: {username: u, password: p}}}}
  - {id: password, generate: {password: {length: 20, alphabet: abc, require: [lower]}}}
  - {id: token, generate: {token: {bytes: 32}}}
  - {id: bytes, generate: {bytes: {length: 32}}}
  - {id: ssh, generate: {ssh_key: {comment: x}}}
  - {id: rsa, generate: {rsa_key: {bits: 3072}}}
  - id: csr
    generate: {x509_request: {common_name: x, organization: o, dns_names: [a], ip_addresses: [b], key: rsa}}
  - id: group
    targets: [a]
    steps: [{id: in, run: x}]
    outputs: {o: x}
finally: [{id: last, run: x}]
on_failure: stop
outputs: {o: "${{ steps.one.status }}"}
"""


def without_actions_rule() -> object:
    """The schema without what is checked where steps are built."""
    schema = copy.deepcopy(dict(document_schema()))
    for name in ("step", "verify", "rollback"):
        for word in ("oneOf", "dependentRequired", "if", "else"):
            schema["$defs"][name].pop(word, None)
    return schema


VALIDATOR = Draft202012Validator(without_actions_rule())


def test_the_schema_is_json_schema():
    Draft202012Validator.check_schema(document_schema())


def keywords(schema: object) -> set[str]:
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for name in ("properties", "$defs"):
        for part in schema.get(name, {}).values():
            found |= keywords(part)
    for name in ("items", "additionalProperties", "propertyNames", "not"):
        found |= keywords(schema.get(name))
    for part in schema.get("anyOf", []):
        found |= keywords(part)
    return found


def test_every_keyword_is_read_or_known_not_to_be():
    assert keywords(document_schema()) == READ_KEYWORDS | NOT_READ


def described(schema: dict, name: str) -> str:
    while "description" not in schema and "$ref" in schema:
        schema = document_schema()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema.get("description", "")


@pytest.mark.parametrize(
    "place", ["runbook", "step", "verify", "rollback", "privileged", "retry", "output", "source", "secret", "generate"]
)
def test_every_key_is_described_for_editors(place):
    schema = document_schema() if place == "runbook" else document_schema()["$defs"][place]
    assert [name for name, part in schema["properties"].items() if not described(part, name)] == []


def test_durations_are_the_same_in_the_schema():
    assert document_schema()["$defs"]["time"]["pattern"] == PATTERN


def test_every_key_is_accepted():
    data = parse(GOOD.encode()).root.value
    cleaned, problems = check(data)
    assert problems == []
    assert cleaned == data
    assert Draft202012Validator(document_schema()).is_valid(data)
    used = set().union(*data["steps"])
    assert used == set(document_schema()["$defs"]["step"]["properties"])
    assert set(data) == set(document_schema()["properties"])


@pytest.mark.parametrize("file", sorted((ROOT / "runbooks").glob("*.yaml")), ids=lambda file: file.name)
def test_the_runbooks_that_come_with_durun_are_valid(file):
    data = parse(file.read_bytes()).root.value
    assert check(data) == (data, [])
    assert Draft202012Validator(document_schema()).is_valid(data)


VALUES = [None, True, False, 0, 1, -1, 1.5, 1e9, 300, "", "x", "30s", "10%", "${{ x }}", "a ${{ x }}", [], [1], ["a"],
          [None], ["${{ x }}"], {}, {"a": 1}, {"run": "x"}, {"file": "x"}, {"ttl": "1h"}, {"id": "a"}, [{}],
          "stop", [[1]], [{"a": []}]]  # fmt: skip


def places(data: object) -> list[tuple[object, object]]:
    pairs = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    return [(data, key) for key, _ in pairs] + [place for _, value in pairs for place in places(value)]


@pytest.mark.parametrize("seed", range(30))
def test_it_accepts_exactly_what_a_json_schema_validator_accepts(seed):
    chance = random.Random(seed)
    original = parse(GOOD.encode()).root.value
    for _ in range(40):
        data = json.loads(json.dumps(original))
        container, key = chance.choice(places(data))
        container[key] = copy.deepcopy(chance.choice(VALUES))
        if chance.random() < 0.2 and isinstance(container, dict):
            container[chance.choice(["new", "run", "Foo-1", "timeout"])] = chance.choice(VALUES)
        cleaned, problems = check(data)
        assert (not problems) == VALIDATOR.is_valid(data), (key, container[key], problems)
        if not problems:
            assert cleaned == data


@pytest.mark.parametrize("seed", range(10))
def test_what_is_left_of_a_wrong_document_can_be_read(seed, problems):
    chance = random.Random(seed)
    original = parse(GOOD.encode()).root.value
    for _ in range(20):
        data = json.loads(json.dumps(original))
        for _ in range(chance.randint(1, 4)):
            container, key = chance.choice(places(data))
            container[key] = copy.deepcopy(chance.choice(VALUES))
        if not check(data)[1]:
            continue
        assert problems(json.dumps(data)) != []
