"""The reserved name `baostock`, which existing task files may have; the source is not available in this version."""

from mystocks_dagster.sources.declaration import SourceDeclaration

SOURCE = SourceDeclaration(
    name="baostock",
    about="not available in this version; its files are read by `recorded`",
    world="real",
    needs="",
    offers_note="nothing",
    implementation=None,
)
