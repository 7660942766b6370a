"""What Dagster's server takes too lightly: mutations by GET, and by content types that a form of any page can send."""

from urllib.parse import parse_qs

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.types import ASGIApp, Receive, Scope, Send

from mystocks_dagster.api.auth import headers_of
from mystocks_dagster.api.error_responses import body
from mystocks_dagster.api.origins import Source, source_of
from mystocks_dagster.api.responses import JsonResponse


class GraphQLDoor:
    """Lets changes through only as POST of application/json, which no page of another site can send without asking first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def _refusal(scope: Scope) -> JsonResponse | None:
    headers = headers_of(scope)
    if scope["method"] not in ("GET", "HEAD"):
        if headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            return None
        return _answer(415, 'Send it as JSON: the header content-type: application/json, and {"query": …} as the body.')
    queries = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("query", [])
    if queries and source_of(headers) is Source.FOREIGN:
        return _answer(403, "A page of another site may ask nothing here.")
    if any(_changes(query) for query in queries):
        return _answer(405, "A GET changes nothing: send a mutation by POST, as JSON.", allow="POST")
    return None


def _changes(query: str) -> bool:
    try:
        document = parse(query)
    except GraphQLError:
        return False  # Dagster reads it with the same parser, and answers what is wrong with it
    except RecursionError:
        return True  # unknown: Dagster may get further
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return any(one.operation is not OperationType.QUERY for one in operations)


def _answer(status: int, message: str, **headers: str) -> JsonResponse:
    kinds = {403: "Forbidden", 405: "HttpError", 415: "InvalidRequest"}
    return JsonResponse(body(kinds[status], message), status, headers=headers)
