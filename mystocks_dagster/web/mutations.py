"""Mutations over Dagster's GraphQL: only users who may edit send them, and each is in the audit log."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.api.auth import USER
from mystocks_dagster.api.error_responses import refusal
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import DAGSTER_PATH
from mystocks_dagster.project import audit
from mystocks_dagster.project.access import JOBS
from mystocks_dagster.project.roles import Role
from mystocks_dagster.project.users import caller_of
from mystocks_dagster.settings import Settings

#: Mutations that change nothing of the project: they load again what is there.
_HARMLESS = frozenset({"reloadRepositoryLocation", "reloadWorkspace", "logTelemetry", "setNuxSeen"})
_GRAPHQL = f"{DAGSTER_PATH}/graphql"
_SHAPE = (
    'Send one JSON object: {"query": "…", "variables": {…}, "operationName": "…"}. Lists of queries are not taken; '
    "send each on its own."
)
#: Variables that say what a mutation is about.
_TARGETS = (
    "jobName",
    "pipelineName",
    "runId",
    "runIds",
    "scheduleName",
    "sensorName",
    "backfillId",
    "partitionSetName",
)


class MutationGuard:
    """Refuses mutations of users below the role `editor`, since a job may run with any parameters; notes the others."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        content = await _body(receive)
        if scope["path"] == _GRAPHQL:
            try:
                names, target = _mutations(_asked(content), scope["query_string"])
            except (ValueError, RecursionError):
                await refusal(HTTPConnection(scope), 400, "InvalidRequest", _SHAPE)(scope, receive, send)
                return
        else:  # Dagster also takes reports of assets, by paths of their own, in which an asset may be named graphql
            names, target = [f"{scope['method']} {scope['path']}"], ""
        user = scope.get(USER)
        if names and user is not None and not user.role.includes(Role.EDITOR):
            message = (
                f"{user.name} is here as {user.role}: only an editor changes or starts something in Dagster's UI. "
                f"Operators start tasks on the page /tasks. The owner can change the role: mystocks users role "
                f"{user.name} editor"
            )
            await refusal(HTTPConnection(scope), 403, "Forbidden", message)(scope, receive, send)
            return
        if noted := [name for name in names if name not in _HARMLESS]:
            caller = caller_of(JOBS, user)
            try:  # before it is done: what Dagster answers is not read
                await run_in_threadpool(audit.add, self._settings, caller, ", ".join(noted), target)
            except InstanceError as error:
                await refusal(HTTPConnection(scope), error.status, type(error).__name__, str(error))(
                    scope, receive, send
                )
                return
        await self._app(scope, _again(content, receive), send)


def _asked(content: bytes) -> dict[str, Any]:
    """Return a request's body.

    Raises:
        ValueError: It is not what this guard reads as Dagster does: one JSON object whose fields have their types.
        RecursionError: It is nested too deeply.
    """
    asked = json.loads(content)
    if not isinstance(asked, dict):
        raise ValueError("body")
    if isinstance(asked.get("variables"), str):  # Dagster takes them as JSON, too
        asked["variables"] = json.loads(asked["variables"])
    for name, kind in (("query", str), ("variables", dict), ("operationName", str)):
        if not isinstance(asked.get(name), (kind, type(None))):
            raise ValueError(name)
    return asked


def _mutations(asked: dict[str, Any], query_string: bytes) -> tuple[list[str], str]:
    """Return the names of the mutations of a request, and what they are about; none for a query."""
    queries = [asked.get("query"), *parse_qs(query_string.decode("latin-1")).get("query", [])]
    names = [name for query in queries if isinstance(query, str) for name in _fields(query)]
    return names, ", ".join(dict.fromkeys(_targets(asked.get("variables")))) if names else ""


def _fields(query: str) -> Iterator[str]:
    try:
        document = parse(query)
    except GraphQLError:
        return  # Dagster uses the same parser and reports the syntax error
    except RecursionError:
        yield "unknown: the query is nested too deeply"
        return
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode) and node.operation is OperationType.MUTATION:
            for each in node.selection_set.selections:
                # A fragment hides the names in it.
                yield each.name.value if isinstance(each, FieldNode) else "mutation"


def _targets(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, item in value.items():
                if name in _TARGETS and isinstance(item, (str, list)):
                    yield from [item] if isinstance(item, str) else map(str, item)
                else:
                    yield from _targets(item)
        case list():
            for item in value:
                yield from _targets(item)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(content: bytes, receive: Receive) -> Receive:
    """Return a `receive` that delivers the body that was read, and then what comes after it."""
    delivered = False

    async def replay() -> Message:
        nonlocal delivered
        if delivered:
            return await receive()
        delivered = True
        return {"type": "http.request", "body": content, "more_body": False}

    return replay
