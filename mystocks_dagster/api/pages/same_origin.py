"""Forms are taken from the pages themselves only; who may come in at all is for the app to say (api/auth.py)."""

from typing import Annotated

from fastapi import Depends, Request

from mystocks_dagster.api.origins import Source, source_of
from mystocks_dagster.errors import Forbidden

#: Fields of the largest form, and some more.
_MOST_FIELDS = 300


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form that one of these pages sent.

    Raises:
        Forbidden: No browser says that a page of this server sent it; every browser says it of a form.
    """
    if source_of(request.headers) is not Source.OWN:
        raise Forbidden("This form was not sent by this page. Open the page itself and send it again.")
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


#: The fields of a form, as a parameter of a page.
Form = Annotated[dict[str, str], Depends(form_of)]
