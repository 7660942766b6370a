"""The `simulated` source: an invented market."""

from mystocks_dagster.sources.declaration import SourceDeclaration

SOURCE = SourceDeclaration(
    name="simulated",
    about="an invented market under the real rules",
    world="simulated",
    needs="nothing",
    offers="every table that comes from a source",
    implementation="mystocks_dagster.sources.simulated.source:SimulatedSource",
)
