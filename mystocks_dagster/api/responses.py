"""JSON responses for any value that a task reports: NaN becomes null, lone surrogates are escaped."""

import json
from typing import Any

from fastapi.responses import JSONResponse

from mystocks_dagster.execution.jsonable import to_jsonable


class JsonResponse(JSONResponse):
    """A JSON response for any value."""

    def render(self, content: Any) -> bytes:
        """Return the bytes of the body."""
        try:
            text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (ValueError, TypeError):
            text = json.dumps(to_jsonable(content, ""), ensure_ascii=False, separators=(",", ":"))
        # A lone surrogate becomes \udxxx, which is its escape in JSON.
        return text.encode("utf-8", "backslashreplace")
