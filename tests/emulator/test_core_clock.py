from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from nova_constructs.emulator.clock import SimulatedClock


@pytest.fixture
def clock():
    made = SimulatedClock(1000.0)
    yield made
    made.stop()


def test_idle_time_runs_at_speed(clock):
    started = clock.monotonic()
    time.sleep(0.02)
    assert clock.monotonic() - started >= 20


def test_busy_time_runs_at_the_speed_of_real_time(clock):
    with clock.busy():
        started = clock.monotonic()
        time.sleep(0.02)
        assert 0.02 <= clock.monotonic() - started < 1


def test_a_wait_inside_a_busy_block_is_idle(clock):
    with clock.busy():
        started = time.monotonic()
        assert clock.sleep(50)
        assert time.monotonic() - started < 1
        mark = clock.monotonic()
        time.sleep(0.01)
        assert clock.monotonic() - mark < 1


def test_a_cancelled_wait_ends_early(clock):
    assert clock.sleep(3_600_000, cancelled=lambda: True) is False


def test_stop_ends_waits(clock):
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(clock.sleep(3_600_000)))
    thread.start()
    clock.stop()
    thread.join(timeout=2)
    assert ended == [False]


def test_timers_run_in_the_order_of_their_instants(clock):
    done = threading.Event()
    order: list[str] = []
    with clock.busy():
        clock.call_later(20, lambda: (order.append("late"), done.set()))
        clock.call_later(10, lambda: order.append("early"))
        clock.call_later(5, lambda: order.append("never")).cancel()
    assert done.wait(2)
    assert order == ["early", "late"]


def test_call_at_takes_an_instant(clock):
    done = threading.Event()
    due = clock.now() + timedelta(seconds=10)
    seen = []
    clock.call_at(due, lambda: (seen.append(clock.now()), done.set()))
    assert done.wait(2)
    assert seen[0] >= due


def test_a_failing_timer_does_not_stop_the_others(clock, monkeypatch):
    reported = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_type))
    done = threading.Event()

    def fail():
        raise ValueError("broken")

    clock.call_later(1, fail)
    clock.call_later(2, done.set)
    assert done.wait(2)
    assert reported == [ValueError]


def test_speed_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        SimulatedClock(0)
