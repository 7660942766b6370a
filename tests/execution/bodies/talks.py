"""Functions that log, print and report."""

import logging
import os
import subprocess
import sys
import time

logger = logging.getLogger("my.module")


def logs(params):
    logger.debug("debug")
    logger.info("stored %d rows of %s", 5, "daily_bars")
    logging.warning("root says %r", {"a": 1})
    logger.info("wrong %d", "text")
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logger.exception("divided")
    logger.log(25, "between")
    logger.info("x" * 1_000_000)


def library_debug(params):
    import asyncio

    logging.getLogger("my.module").debug("mine")
    asyncio.new_event_loop().close()  # logs "Using selector" at DEBUG


def prints(params):
    print("到 stdout")
    print("to stderr", file=sys.stderr)
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", "print('from a grandchild')"], check=True)
    os.write(1, b"no newline at the end")


def ten_megabytes(params):
    line = "y" * 99
    for _ in range(100_000):
        print(line)
    return {"lines": 100_000}


def binary(params):
    os.write(1, bytes(range(256)) * 10)
    os.write(1, b"z" * 1_000_000)
    os.write(2, b"\xff\xfe\n")
    return {"done": True}


def many_processes(params):
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            for index in range(50):
                logging.info("%d %d %s", number, index, "w" * 5000)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def progress(params, run):
    for number in range(1, 20_001):
        run.report_progress(number, 20_000, f"symbol {number}")


def slow_progress(params, run):
    run.report_progress(1, 3, "one")
    run.report_progress(2, 3, "two")
    time.sleep(1.2)
    run.report_progress(3, 3, "three")


def secrets(params):
    logging.info("params are %s", params)
    print("token", params["tushare_token"], flush=True)
    if params.get("fail"):
        raise RuntimeError(f"login with {params['tushare_token']} failed")
    return {"params": params}


def environment(params):
    return {name: os.environ.get(name) for name in params["names"]}


def modules(params):
    return {"modules": sorted(sys.modules)}
