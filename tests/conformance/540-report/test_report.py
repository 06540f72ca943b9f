import pytest


@pytest.mark.parametrize("behind", ["/dev/null", "kept.html"])
def test_a_device_and_a_link_are_written_to_and_not_replaced(operator, behind):
    operator("run", "runbook.yaml")
    (operator.place / "page.html").symlink_to(behind)
    operator("report", "@last", "-o", "page.html")
    assert (operator.place / "page.html").is_symlink()
    if behind != "/dev/null":
        assert "<html" in operator.read(behind)
