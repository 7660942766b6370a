"""Feeds a target with its corpus and with changed copies of it, for some seconds: `make fuzz SECONDS=60 SEED=7`.

An input that ends in an error that users must not see, or that takes too long, is added to the corpus, and is fed first
from then on. Inputs with a new kind of answer are changed further.
"""

import argparse
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.mutation import mutated
from fuzz.targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"
#: Seconds of one input: a reader that takes longer can be kept busy by anybody who may send it something.
LONGEST = 5.0
#: Inputs with answers of their own that are changed further.
_KEPT = 300


class Found(AssertionError):
    """An input that is a fault; it is in the corpus now."""


def corpus(target: Target) -> list[bytes]:
    """Return the kept inputs of a target."""
    return [path.read_bytes() for path in sorted((CORPUS / target.name).iterdir())]


def feed(target: Target, content: bytes) -> str:
    """Feed one input, and return what became of it.

    Raises:
        Found: It is a fault.
    """
    begun = time.thread_time()
    try:
        outcome = target.outcome(content)
    except Exception:
        raise Found(f"{_keep(target, content)}\n{traceback.format_exc()}") from None
    took = time.thread_time() - begun
    if took > LONGEST:
        raise Found(f"{_keep(target, content)}: took {took:.1f} s")
    return outcome


def fuzz(target: Target, seconds: float, seed: int) -> tuple[int, int]:
    """Feed changed inputs for some seconds; return how many, and how many kinds of answers there were.

    Raises:
        Found: One of them is a fault.
    """
    chance, inputs, until = random.Random(f"{target.name} {seed}"), corpus(target), time.monotonic() + seconds
    kinds, fed = {feed(target, content) for content in inputs}, len(inputs)
    while time.monotonic() < until:
        content = mutated(chance.choice(inputs), inputs, chance)
        kind, fed = feed(target, content), fed + 1
        if kind not in kinds and len(inputs) < _KEPT:
            kinds.add(kind)
            inputs.append(content)
    return fed, len(kinds)


def _keep(target: Target, content: bytes) -> Path:
    path = CORPUS / target.name / hashlib.sha256(content).hexdigest()[:12]
    path.write_bytes(content)
    return path


def main() -> int:
    """Feed all targets; print what was found and go on with the next one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60, help="for each target")
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--only", help="the name of one target")
    chosen = options.parse_args()
    faults = 0
    print(f"seed {chosen.seed}")
    for target in TARGETS:
        if chosen.only in (None, target.name):
            try:
                fed, kinds = fuzz(target, chosen.seconds, chosen.seed)
                print(f"{target.name}: {fed:,} inputs, {kinds} kinds of answers", flush=True)
            except Found as found:
                faults += 1
                print(f"{target.name}: {found}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
