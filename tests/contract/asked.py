"""A runbook that asks people, and who they are."""

from __future__ import annotations

STEPS = """
inputs: {who: {default: db}}
steps:
  - {id: change, run: [ACT, run]}
  - id: approved
    approval:
      message: "Rotate ${{ inputs.who }}?"
      approvers: [bob, eve]
      fields: {window: {type: integer}}
      timeout: 24h
  - {id: work, run: [ACT, run, "${{ steps.approved.outputs.window | default(0) }}"]}
"""


ADA = {"uid": 1000, "user": "ada"}


EVE = {"uid": 1002, "user": "eve"}
