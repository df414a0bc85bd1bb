from __future__ import annotations

import os
import signal

import pytest

from nova_constructs.cli.interrupts import HungUpError, InterruptError, Interrupts, TerminatedError


@pytest.fixture
def interrupts() -> Interrupts:
    return Interrupts(announce=False)


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        (signal.SIGINT, InterruptError, 130),
        (signal.SIGTERM, TerminatedError, 143),
        (signal.SIGHUP, HungUpError, 129),
    ],
)
def test_a_signal_ends_a_wait_with_the_exit_code_that_shells_expect(
    interrupts: Interrupts, number: signal.Signals, error: type[InterruptError], code: int
) -> None:
    with interrupts:
        os.kill(os.getpid(), number)
        with pytest.raises(error) as raised:
            interrupts.wait(60)

    assert raised.value.exit_code == code


def test_the_first_signal_does_not_break_into_what_is_being_started(interrupts: Interrupts) -> None:
    with interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        started = True

    assert started
    assert interrupts.number == signal.SIGINT


def test_a_second_signal_breaks_into_what_hangs(interrupts: Interrupts) -> None:
    with interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_nothing_breaks_into_the_clean_up(interrupts: Interrupts) -> None:
    with interrupts:
        interrupts.end()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        cleaned_up = True

    assert cleaned_up


def test_an_interrupt_that_was_taken_lets_the_clean_up_finish(interrupts: Interrupts) -> None:
    with interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(InterruptError):
            interrupts.check()
        os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_of_before_come_back(interrupts: Interrupts) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interrupts:
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before
