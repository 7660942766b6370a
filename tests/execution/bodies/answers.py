"""Functions that return, or fail to."""

import asyncio
import errno
import os
import sys
import threading
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path

from mystocks_dagster.errors import NotOffered, SourceChanged, SourceUnavailable
from mystocks_dagster.tasks.run import TaskResult


def seed(params: dict) -> dict:
    return {"status": "success", "processed_records": params["batch_size"]}


def nothing():
    return None


def without_status(params):
    return {"processed": 7}


def given(params):
    return params["answer"]


def partial(params):
    return {
        "status": "partial_success",
        "message": "2 of 3",
        "failed_items": ["000001.SZ"],
        "retry_params": {"symbols": ["000001.SZ"]},
    }


def full(params):
    return TaskResult(
        status="success",
        message="stored",
        rows={"daily_bars": 3},
        days={"daily_bars": (date(2025, 4, 7), date(2025, 4, 8))},
        failed_items=("a", "b"),
        retry_params={"symbols": ["a"]},
        metadata={"spread": 0.5},
    )


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int


def many_types(params):
    import numpy as np
    import pandas as pd

    return {
        "date": date(2025, 4, 7),
        "moment": datetime(2025, 4, 7, 15, tzinfo=timezone(timedelta(hours=8))),
        "span": timedelta(minutes=2),
        "money": Decimal("12.50"),
        "whole": Decimal("3"),
        "path": Path("a") / "b",
        "colour": Colour.RED,
        "set": {"b", "a"},
        "tuple": (1, 2),
        "int64": np.int64(5),
        "float32": np.float32(0.5),
        "bool": np.bool_(True),
        "array": np.array([[1, 2], [3, 4]]),
        "day64": np.datetime64("2025-04-07"),
        "nanoseconds": np.datetime64("2025-04-07T00:00:00.000000001"),
        "timestamp": pd.Timestamp("2025-04-07"),
        "nat": pd.NaT,
        "nan": float("nan"),
        "infinite": float("inf"),
        "point": Point(1),
        "keys": {date(2025, 4, 7): 1, 5: 2},
        "rows": 12,
    }


def frame(params):
    import polars as pl

    return {"status": "success", "tables": {"bars": [1, pl.DataFrame({"a": [1]})]}}


def lock(params):
    return TaskResult(metadata={"lock": threading.Lock()})


def itself(params):
    found: dict = {}
    found["again"] = found
    return found


def a_list(params):
    return [1, 2]


def generator(params):
    yield 1


def wrong_rows(params):
    return TaskResult(rows={"daily_bars": "many"})


async def waits(params):
    await asyncio.sleep(0.01)
    return {"awaited": True}


def not_offered(params):
    raise NotOffered("recorded has no capital_flow_stock.")


def unavailable(params):
    raise SourceUnavailable("push2.eastmoney.com refused the connection.")


def changed(params):
    raise SourceChanged("no column 收盘.")


def key_error(params):
    return {}["close"]


def type_error(params):
    return len(5)


def nothing_came(params):
    answer = params.get("answer")
    return answer["rows"]


def not_allowed(params):
    raise PermissionError(errno.EACCES, "Permission denied", "/x")


def not_there_yet(params):
    raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/x")


def wrong_column(params):
    from polars.exceptions import ColumnNotFoundError

    raise ColumnNotFoundError("closing")


def caused(params):
    try:
        key_error(params)
    except KeyError as error:
        raise RuntimeError("no close") from error


class Mute(Exception):
    def __str__(self):
        raise ValueError("mute")


def mute(params):
    raise Mute


def leaves(params):
    sys.exit(3)


def interrupted(params):
    raise KeyboardInterrupt


def cancelled(params):
    raise asyncio.CancelledError


def missing_library(params):
    import a_library_that_nobody_installed  # noqa: F401


def exits(params):
    os._exit(7)


def segfault(params):
    import ctypes

    ctypes.string_at(0)


def killed(params):
    os.kill(os.getpid(), 9)


def closes_descriptors(params):
    import logging

    os.closerange(3, 1024)
    with Path(params["file"]).open("w") as file:
        logging.getLogger("closer").info("after closing")
        file.write("mine")
    return {"closed": True}


def closes_output(params):
    os.closerange(0, 3)
    return {"closed": True}


def thread_that_stays(params):
    threading.Thread(target=time.sleep, args=(120,)).start()
    return {"done": True}


def forks_and_both_return(params):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return {"from": "parent" if child else "child"}


def large(params):
    return {"text": "x" * params["size"]}
