"""The picture of the architecture is that of the import contract."""

import pytest
from support import architecture
from support.architecture import BANDS, IMAGES, PICTURES, WORDS, picture


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_in_step(name: str) -> None:
    assert (IMAGES / name).read_text(encoding="utf-8") == picture(PICTURES[name]), (
        "write it again: PYTHONPATH=tests .venv/bin/python -m support.architecture"
    )


def test_each_box_has_its_words() -> None:
    assert {name for _, names in BANDS for name in names} == set(WORDS)


def test_a_band_in_the_wrong_order_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "BANDS", tuple(reversed(BANDS)))
    with pytest.raises(ValueError, match="not below the band above"):
        picture(0)
