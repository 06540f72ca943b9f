from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def test_graphviz_lays_out_every_step_of_a_run_in_the_colours_of_its_status(operator):
    (operator.place / "code").write_text("1")
    operator("run", "runbook.yaml", "-q", code=1)
    root = ElementTree.fromstring(operator("graph", "@last", "--format", "svg").out)
    groups = {group.findtext(f"{SVG}title"): group for group in root.iter(f"{SVG}g")}
    assert {"s_first", "cluster_s_end", "s_one", "s_two", "s_three", "s_graph", "s_last", "s_tidy"} <= groups.keys()
    assert {"s_first->s_graph", "s_first->s_one", "s_three->s_last", "s_graph->s_last"} <= groups.keys()
    fill = {name: groups[name].find(f"{SVG}path").get("fill") for name in ("s_first", "s_one", "s_last")}
    assert fill == {"s_first": "#d7f0d7", "s_one": "#f9d6d5", "s_last": "#ffffff"}
    assert [text.text for text in groups["s_one"].iter(f"{SVG}text")] == ["one", "run", "1 failed"]
