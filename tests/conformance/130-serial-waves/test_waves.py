def waves_of(lines, *sizes):
    left = list(lines)
    return [sorted(left.pop(0) for _ in range(size)) for size in sizes]


def test_each_wave_ends_before_the_next_begins(operator):
    operator("run", "runbook.yaml")
    lines = [int(line) for line in operator.read("effects").split()]
    assert waves_of(lines, 1, 3, 6) == [[1], [2, 3, 4], [5, 6, 7, 8, 9, 10]]


def test_the_last_size_goes_on_and_a_wave_is_whole_chains(operator):
    operator("run", "waves.yaml")
    lines = operator.read("effects").splitlines()
    expected = [
        sorted(f"{step} {target}" for step in ("one", "two") for target in wave) for wave in ((1, 2), (3, 4), (5,))
    ]
    assert waves_of(lines, 4, 4, 2) == expected
