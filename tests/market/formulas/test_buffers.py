"""Arrays that formulas use again."""

import numpy as np

from mystocks_dagster.market.formulas.buffers import Buffers


def test_what_was_given_back_is_lent_again_and_what_is_lent_is_not():
    buffers = Buffers(10)
    first, second = buffers.take(5), buffers.take(5)
    assert not np.shares_memory(first, second)
    buffers.give_back(first)
    third = buffers.take(10)
    assert np.shares_memory(first, third)
    assert not np.shares_memory(second, third)


def test_an_array_given_back_twice_is_lent_once():
    buffers = Buffers(10)
    array = buffers.take(5)
    buffers.give_back(array)
    buffers.give_back(array)
    assert not np.shares_memory(buffers.take(5), buffers.take(5))


def test_an_array_of_others_is_never_lent():
    buffers, other = Buffers(10), np.zeros(10)
    buffers.give_back(other)
    assert not np.shares_memory(buffers.take(10), other)


def test_everything_lent_can_be_taken_back_at_once():
    buffers = Buffers(10)
    array = buffers.take(6)
    buffers.give_all_back()
    assert np.shares_memory(buffers.take(4), array)
