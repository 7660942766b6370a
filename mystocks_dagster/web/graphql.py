"""Protection against cross-site mutations by GET or by content types that an HTML form can send."""

from urllib.parse import parse_qs

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from mystocks_dagster.api.auth import headers_of
from mystocks_dagster.api.error_responses import refusal
from mystocks_dagster.api.origins import Source, source_of
from mystocks_dagster.api.responses import JsonResponse


class GraphQLGuard:
    """Accepts mutations only as POST of application/json, which another site's page cannot send without a preflight."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def _refusal(scope: Scope) -> JsonResponse | None:
    headers = headers_of(scope)
    if scope["method"] not in ("GET", "HEAD"):
        kinds = [name for name, _ in scope["headers"] if name.lower() == b"content-type"]
        # Of several, Dagster would take another one than this check.
        if len(kinds) <= 1 and headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            return None
        return _response(scope, 415, 'Send JSON: the header content-type: application/json and the body {"query": …}.')
    queries = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("query", [])
    if queries and source_of(headers) is Source.FOREIGN:
        return _response(scope, 403, "Requests from other sites' pages are refused.")
    if any(_may_mutate(query) for query in queries):
        return _response(scope, 405, "Mutations by GET are refused. Send it by POST, as JSON.", allow="POST")
    return None


def _may_mutate(query: str) -> bool:
    try:
        document = parse(query)
    except GraphQLError:
        return False  # Dagster uses the same parser and reports the syntax error
    except RecursionError:
        return True  # unknown: Dagster's parser may have more stack
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return any(operation.operation is not OperationType.QUERY for operation in operations)


def _response(scope: Scope, status: int, message: str, **headers: str) -> JsonResponse:
    kinds = {403: "Forbidden", 405: "HttpError", 415: "InvalidRequest"}
    return refusal(HTTPConnection(scope), status, kinds[status], message, **headers)
