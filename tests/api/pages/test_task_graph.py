"""The picture of a group: who waits for whom, from left to right."""

from mystocks_dagster.api.pages.task_graph import cut_to, graph_of


def test_a_task_stands_right_of_all_that_it_waits_for() -> None:
    edges = {"load": [], "calendar": [], "indicators": ["load"], "report": ["indicators", "calendar"]}
    graph = graph_of(edges, {name: name for name in edges}, {"load": "success"})
    nodes = {node.id: node for node in graph.nodes}
    assert nodes["load"].x == nodes["calendar"].x < nodes["indicators"].x < nodes["report"].x
    assert nodes["load"].y != nodes["calendar"].y
    assert len(graph.arrows) == 3
    assert {name: node.status for name, node in nodes.items()} == {**dict.fromkeys(edges), "load": "success"}
    for node in graph.nodes:
        assert node.x + graph.node_width <= graph.width
        assert node.y + graph.node_height <= graph.height


def test_a_long_name_is_cut_to_the_width_of_its_box() -> None:
    assert cut_to("同步全市场日线行情", 10) == "同步全市…"
    assert cut_to("a" * 30, 10) == "a" * 9 + "…"
    assert cut_to("恰好十列啊", 10) == "恰好十列啊"
