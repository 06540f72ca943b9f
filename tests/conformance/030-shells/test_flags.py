def test_bash_and_sh_are_strict(operator):
    operator("run", "runbook.yaml")
    outputs = operator.show()["outputs"]
    flags, pipefail = outputs["bash"].split("/")
    assert {"e", "u"} <= set(flags)
    assert pipefail == "on"
    assert {"e", "u"} <= set(outputs["sh"])
