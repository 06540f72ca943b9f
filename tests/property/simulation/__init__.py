"""A deterministic world in which the pure heart drives random runs through crashes, resumes, settles and cancels.

`plans` draws a random plan, `world` holds what really happens (processes and effects, independent of durun's
records), `store` is a journal, `runner` and `performer` do what `decide` says, `told` keeps what the events say,
`oracle` and `promises` check it, and `history` puts it all together.
"""
