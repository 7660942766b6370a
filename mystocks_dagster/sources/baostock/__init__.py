"""The name `baostock`, which task files may hold already; this version has no such source."""

from mystocks_dagster.sources.declaration import SourceDeclaration

SOURCE = SourceDeclaration(
    name="baostock",
    about="not available in this version; its files are read by `recorded`",
    world="real",
    needs="",
    offers="nothing",
    implementation=None,
)
