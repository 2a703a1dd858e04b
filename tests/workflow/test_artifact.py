from paribus.workflow.artifact import Artifact, of_body


def test_a_hash_that_is_known_is_no_part_of_the_artifact_and_not_its_copys() -> None:
    made = {"step": "explore", "role": "r", "feature": "f", "requirement": "q", "summary": "s"}
    one, other = Artifact.model_validate(made), Artifact.model_validate(made)
    assert len(one.hash) == 64
    assert one == other
    assert "hash" not in one.body()
    changed = one.model_copy(update={"summary": "t"})
    assert changed.hash == Artifact.model_validate({**made, "summary": "t"}).hash != one.hash
    assert of_body(made, "0" * 64).hash == "0" * 64
