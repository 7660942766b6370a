"""JSON that holds whatever a task reported: Chinese as it is, NaN as null, damaged text as escapes."""

import json
from typing import Any

from fastapi.responses import JSONResponse

from mystocks_dagster.execution.jsonable import to_jsonable


class JsonResponse(JSONResponse):
    """A JSON response that can always be written."""

    def render(self, content: Any) -> bytes:
        """Return the bytes of the body."""
        try:
            text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (ValueError, TypeError):
            text = json.dumps(to_jsonable(content, ""), ensure_ascii=False, separators=(",", ":"))
        # Half of a surrogate pair becomes \udxxx, which within JSON is how it is escaped.
        return text.encode("utf-8", "backslashreplace")
