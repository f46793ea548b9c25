"""InOrder: results in the items' order, few items in memory, and no other work once it is left."""

import time

import pytest

from freqlearn.pipelines.in_order import InOrder


def test_results_come_in_order_and_items_are_taken_as_needed():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    with InOrder(2) as workers:
        results = workers.results(lambda number: number**2, items())
        assert next(results) == 0
        assert len(taken) == 8
        assert list(results) == [number**2 for number in range(1, 100)]


def test_an_error_comes_in_its_place_and_no_other_work_is_begun():
    begun = []

    def work(number):
        begun.append(number)
        if number == 0:
            raise ValueError("the first")
        while not workers._pool._shutdown:
            time.sleep(0.01)
        time.sleep(0.05)  # what waits is cancelled right after that

    with InOrder(1) as workers, pytest.raises(ValueError, match="the first"):
        list(workers.results(work, range(4)))
    assert begun in ([0], [0, 1])
