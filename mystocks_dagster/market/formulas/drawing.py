"""What formulas say about charts: it is read and kept, and changes no value."""

import re

#: Functions that draw; as statements they give no column.
DRAWING_FUNCTIONS = frozenset(
    {
        "DRAWTEXT", "DRAWTEXT_FIX", "DRAWTEXTABS", "DRAWICON", "DRAWNUMBER", "DRAWNUMBER_FIX", "DRAWLINE", "DRAWSL",
        "DRAWKLINE", "DRAWBAND", "DRAWGBK", "DRAWGBK_DIV", "DRAWBMP", "DRAWRECTREL", "DRAWRECTABS", "DRAWFLAGTEXT",
        "DRAWCOLORKLINE", "STICKLINE", "STICKLINE1", "STRIP", "PARTLINE", "PLOYLINE", "POLYLINE", "FILLRGN",
        "FLOATRGN", "VERTLINE", "HORLINE", "TIPTEXT", "EXPLAIN",
    }
)  # fmt: skip

_ATTRIBUTE = re.compile(
    r"COLOR(?:[0-9A-F]{6}|[A-Z]+)|RGBX[0-9A-F]{6}|LINETHICK[0-9]*|LINE[A-Z]*|STICK|VOLSTICK|COLORSTICK|CROSSDOT"
    r"|CIRCLEDOT|POINTDOT|DOTLINE|NODRAW|NOTEXT|NOFRAME|DRAWABOVE|DRAWCENTER|PRECIS[0-9]+|ALIGN[0-9]+|VALIGN[0-9]+"
    r"|MOVE|AXISTYPE[0-9]*|SHIFT[0-9]*|PXUP|PXDOWN|LAYER[0-9]*|FONTSIZE[0-9]+|HORIZONTAL|VERTICAL"
)
#: Attributes that messages suggest.
ATTRIBUTES = (
    "COLORRED", "COLORGREEN", "COLORBLUE", "COLORYELLOW", "COLORWHITE", "COLORMAGENTA", "COLORCYAN", "COLORGRAY",
    "LINETHICK1", "LINETHICK2", "STICK", "VOLSTICK", "COLORSTICK", "LINESTICK", "CROSSDOT", "CIRCLEDOT", "POINTDOT",
    "DOTLINE", "NODRAW", "NOTEXT", "DRAWABOVE", "PRECIS2",
)  # fmt: skip


def is_attribute(word: str) -> bool:
    """Tell whether a word after an expression says how it is drawn."""
    return _ATTRIBUTE.fullmatch(word) is not None
