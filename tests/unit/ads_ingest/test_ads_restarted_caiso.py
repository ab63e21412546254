"""CAISO's memory is lost while it goes on: what it forgot is told, and what it says now is followed."""

from ads_bench import MINUTE, RECHECK, T0, Bench, batch

FIVE = 5 * MINUTE


def test_a_dot_in_force_is_good_while_only_the_next_was_forgotten(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=1.0), batch(2, at=T0 + FIVE, R1=2.0)]
    bench.round()
    bench.ads.batches = bench.ads.batches[:1]
    bench.round(RECHECK)
    now, following = bench.dot().intervals
    assert (bench.reasons(), now.reasons, following.reasons) == ((), (), ("incomplete",))


def test_a_forgotten_dispatch_of_in_an_hour_says_nothing_against_the_dots_until_then(bench: Bench) -> None:
    ahead = batch(9, at=T0 + 60 * MINUTE, R1=5.0)
    ahead.batch_type = 4
    bench.ads.batches = [ahead]
    bench.round()
    bench.ads.batches = []
    for number in range(10):
        bench.ads.batches.append(batch(20 + number, at=T0 + number * FIVE, R1=10.0 + number))
        for _ in range(10):
            bench.round(RECHECK)
            assert bench.reasons() == ()
            assert [one.reasons for one in bench.dot().intervals if one.batch_uid == "B9"] == [("incomplete",)]


def test_what_was_forgotten_before_a_restart_of_ours_is_no_worse_after_it(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=1.0), batch(2, at=T0 + FIVE, R1=2.0)]
    bench.round()
    bench.ads.batches = bench.ads.batches[:1]
    bench.restart()
    for _ in range(3):
        bench.round(RECHECK)
    assert (bench.reasons(), [one.reasons for one in bench.dot().intervals]) == ((), [(), ("incomplete",)])
