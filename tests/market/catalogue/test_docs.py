"""docs/indicators.md has the catalogue as it is."""

from mystocks_dagster.market.catalogue.docs import BEGIN, END, PAGE, catalogue_markdown


def test_the_page_has_the_catalogue_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert text == catalogue_markdown(), "run `python -m mystocks_dagster.market.catalogue.docs`"
