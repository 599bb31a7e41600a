"""Why a frame was a key frame, for files and for people."""

import pytest

from dffcli.core.types import KeyReason


def test_reasons_are_slugs_with_a_sentence_beside_them() -> None:
    assert len({reason.sentence for reason in KeyReason}) == len(KeyReason)
    for reason in KeyReason:
        assert reason.value == reason.value.lower().replace(" ", "-")
        assert " " in reason.sentence


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("first frame", KeyReason.FIRST),
        ("fixed interval", KeyReason.INTERVAL),
        ("longest interval reached", KeyReason.MAX_INTERVAL),
        ("as far as results carry", KeyReason.DRIFT),
        ("warped key suddenly matches worse", KeyReason.SUDDEN_CHANGE),
        ("scene cut", KeyReason.SCENE_CUT),
        ("frame after a decoding error", KeyReason.CORRUPT),
        ("picture size changed", KeyReason.RESIZED),
    ],
)
def test_files_of_old_are_understood(words: str, reason: KeyReason) -> None:
    assert KeyReason(words) is reason
    assert KeyReason.slug(words) == reason


def test_what_is_no_reason_of_ours_is_left_as_it_is() -> None:
    assert KeyReason.slug("drift") == "drift"
    assert KeyReason.slug("because") == "because"
    assert KeyReason.slug(None) is None
    with pytest.raises(ValueError, match="because"):
        KeyReason("because")
