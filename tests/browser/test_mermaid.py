"""The pictures that `durun graph --format mermaid` gives, drawn by the real Mermaid in a real Chromium."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

from durun.cli.sources import given_so_far, open_source
from durun.language.plan import make_plan
from durun.language.starters import STARTERS, starter
from durun.model.status import TaskStatus
from durun.views.graph import COLOURS, Graph, graph_json, graph_mermaid, graph_of
from durun.views.tally import StepTally

ROOT = Path(__file__).parents[2]
MERMAID = ROOT / ".venv" / "npm" / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
pytestmark = pytest.mark.skipif(not MERMAID.exists(), reason="`bash .ci/setup test` installs Mermaid")

DRAW = """async source => {
  const place = document.querySelector("#picture"), inside = box => box.querySelector("rect").getBoundingClientRect()
  place.innerHTML = (await mermaid.render("drawn", source)).svg
  const boxes = [...place.querySelectorAll(".node, .cluster")]
  const around = box => boxes.filter(other => other !== box && other.classList.contains("cluster"))
    .filter(other => inside(other).left <= inside(box).left && inside(other).right >= inside(box).right
                  && inside(other).top <= inside(box).top && inside(other).bottom >= inside(box).bottom)
    .sort((one, other) => inside(one).width * inside(one).height - inside(other).width * inside(other).height)
  const text = box => box.querySelector(".nodeLabel").innerText.split("\\n").join(" ")
  const name = box => box ? box.id.replace(/^drawn-(flowchart-(.*)-[0-9]+|(.*))$/, "$2$3") : ""
  const colour = box => getComputedStyle(box.querySelector("rect")).fill
  return {
    boxes: boxes.map(box => [name(box), text(box), name(around(box)[0]), colour(box)]),
    arrows: [...place.querySelectorAll("path.flowchart-link")].map(path => path.dataset.id),
  }
}"""


class Drawn(NamedTuple):
    """What is to be seen: of each box its text, the box around it and its colour; and the arrows."""

    texts: dict[str, str]
    places: dict[str, str]
    colours: dict[str, str]
    arrows: Counter[str]


@pytest.fixture(scope="module")
def draw(browser: Any) -> Iterator[Callable[[Graph], Drawn]]:
    page = browser.new_page()
    page.set_content("<div id=picture></div>")
    page.add_script_tag(path=MERMAID)
    page.evaluate("mermaid.initialize({startOnLoad: false})")

    def drawn(graph: Graph) -> Drawn:
        seen = page.evaluate(DRAW, graph_mermaid(graph))
        texts, places, colours = ({box[0]: box[column] for box in seen["boxes"]} for column in (1, 2, 3))
        return Drawn(texts, places, colours, Counter(seen["arrows"]))

    yield drawn
    page.close()


def graph_in(file: Path) -> Graph:
    runbook = open_source(str(file), quiet=True).runbook
    return graph_of(runbook, make_plan(runbook, given_so_far(runbook, (), None), {}), None)


def of_text(folder: Path, text: str) -> Graph:
    (folder / "book.yaml").write_text(text)
    return graph_in(folder / "book.yaml")


def shipped() -> Iterator[Path]:
    yield from (ROOT / "runbooks").glob("*.yaml")
    for topic in ("150-groups-and-chains", "260-finally", "510-graph", "530-rollback"):
        yield from (ROOT / "tests" / "conformance" / topic).glob("[!c]*.yaml")


def test_every_step_is_a_box_where_it_belongs_and_every_need_an_arrow(
    draw: Callable[[Graph], Drawn], tmp_path: Path
) -> None:
    graphs = {str(file): graph_in(file) for file in shipped()}
    graphs |= {kind: of_text(tmp_path, starter(kind, "first")) for kind in STARTERS}
    assert len(graphs) > 15
    for name, graph in graphs.items():
        seen, steps = draw(graph), graph_json(graph)["steps"]
        ids = {step["id"]: "s_" + step["id"].replace(".", "_I_").replace(":", "_O_") for step in steps}
        finals = {"finally__"} if graph.plan.finals else set()
        assert seen.texts.keys() == {*ids.values(), *finals}, name
        for step in steps:
            assert seen.texts[ids[step["id"]]].split(" ")[0] == step["id"], name
            around = ids[step["in"]] if step["in"] else "finally__" if step["finally"] else ""
            assert seen.places[ids[step["id"]]] == around, name
        needs = Counter(f"L_{ids[need]}_{ids[step['id']]}_0" for step in steps for need in step["needs"])
        assert needs <= seen.arrows, name
        assert {arrow for arrow in seen.arrows - needs if "finally__" not in arrow} == set(), name


ODD = (
    "inputs.a * 2 * 3 > 1 and inputs.b != '`x`; #quot; <b>y</b> & __z__ **w** [k] {l} -->'",
    r"inputs.b == '#35; #amp; &amp; \n \\ 1. x'",
    """inputs.b == '$$x^2$$ %%{init: {"theme": "dark"}}%% https://example.com/a_b <br/>'""",
)


@pytest.mark.parametrize("odd", ODD)
def test_a_text_is_shown_as_it_is_and_does_nothing(draw: Callable[[Graph], Drawn], tmp_path: Path, odd: str) -> None:
    graph = of_text(
        tmp_path,
        f"""
durun: 1
name: odd
inputs: {{a: {{type: integer, default: 1}}, b: {{type: string, default: x}}}}
steps:
  - id: graph
    if: >-
      {odd}
    steps:
      - id: end
        if: >-
          {odd}
        run: "true"
""",
    )
    assert draw(graph).texts == {"s_graph": f"graph · if {odd}", "s_end": f"end run if {odd}"}


def test_steps_with_much_the_same_names_are_boxes_of_their_own(draw: Callable[[Graph], Drawn], tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text("{durun: 1, name: inner, steps: [{id: b, run: 'true'}]}")
    steps = "{id: a, runbook: {file: inner.yaml}}, {id: a__b, run: 'true'}, {id: a_b, run: 'true'}"
    seen = draw(of_text(tmp_path, f"{{durun: 1, name: outer, steps: [{steps}]}}"))
    assert sorted(seen.texts.values()) == ["a · runbook inner.yaml", "a.b run", "a__b run", "a_b run"]


def test_a_box_has_the_colour_of_how_its_step_stands(draw: Callable[[Graph], Drawn], tmp_path: Path) -> None:
    statuses: tuple[TaskStatus, ...] = get_args(TaskStatus)
    steps = "".join(f"  - {{id: {status}, run: 'true'}}\n" for status in statuses)
    graph = of_text(tmp_path, f"durun: 1\nname: colours\nsteps:\n{steps}")
    tally = {status: StepTally(status, None, counts=Counter([status])) for status in statuses}
    seen = draw(graph._replace(tally=tally)).colours
    rgb = {status: ", ".join(str(byte) for byte in bytes.fromhex(COLOURS[status][0][1:])) for status in statuses}
    assert seen == {f"s_{status}": f"rgb({rgb[status]})" for status in statuses}
