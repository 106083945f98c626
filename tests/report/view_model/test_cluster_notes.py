"""The warning about few independent clusters."""

from arena.report.view_model.notes import cluster_notes


def test_few_clusters_are_a_warning_many_and_unknown_are_not() -> None:
    (note,) = cluster_notes({"effective_clusters": 61.4})
    assert note.startswith("The images count as 61 independent clusters")
    assert cluster_notes({"effective_clusters": 100.0}) == cluster_notes({}) == []
