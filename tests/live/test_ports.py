"""The UI finds a port of its own."""

import socket

import pytest

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.servers import free_port


def test_another_port_is_taken_when_the_first_is_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert free_port("127.0.0.1", taken) > taken


def test_a_foreign_address_is_refused_with_the_remedy() -> None:
    with pytest.raises(InstanceError, match=r"127\.0\.0\.1"):
        free_port("203.0.113.7", 3000)
