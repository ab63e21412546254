"""What is known at the moment when an instruction is answered: everything for who asks, what is certain for a rule."""

from ads_bench import MINUTE, RECHECK, T0, Bench, batch, faulted, timed_out
from ads_fake import Batch

from ads_ingest.responding.wiring import KnownNow

HOURLY = Batch("H1", T0, {"R1": 40.0}, batch_type=1)


def known(bench: Bench) -> KnownNow:
    publisher = bench.dispatch._publisher
    assert publisher.instructions
    return KnownNow([publisher.instructions], publisher.lock)


def certain(bench: Bench) -> dict[str, list[str]]:
    return {resource: [each.batch_uid for each in several] for resource, several in known(bench).certain().items()}


def test_what_caiso_said_is_known_and_certain(bench: Bench) -> None:
    assert (certain(bench), known(bench).of("R1")) == ({}, ())
    bench.ads.batches = [batch(1), HOURLY]
    bench.round()
    assert [each.batch_uid for each in known(bench).of("R1")] == ["H1"]
    assert known(bench).of("R2") == known(bench).of("a stranger") == ()
    assert certain(bench) == {"R1": ["H1"]}


def test_after_a_restart_nothing_is_certain_until_caiso_confirms_it(bench: Bench) -> None:
    bench.ads.batches = [HOURLY]
    bench.round()
    bench.restart()
    assert [each.batch_uid for each in known(bench).of("R1")] == ["H1"]
    assert certain(bench) == {}
    bench.ads.troubles["getBatchHeader", "H1"] = timed_out
    bench.round(MINUTE)
    assert certain(bench) == {}
    bench.ads.troubles.clear()
    bench.round(MINUTE)
    assert certain(bench) == {"R1": ["H1"]}


def test_what_cannot_be_had_leaves_nothing_certain_of_whom_it_may_name(bench: Bench) -> None:
    bench.ads.batches = [HOURLY]
    bench.round()
    bench.ads.batches.append(Batch("H2", T0, {"R1": 0.0}, batch_type=1))
    bench.ads.troubles["getDispatchBatch", "H2"] = faulted
    bench.round(RECHECK)
    assert certain(bench) == {}
    assert [each.batch_uid for each in known(bench).of("R1")] == ["H1"]


def test_while_caiso_does_not_answer_nothing_is_certain(bench: Bench) -> None:
    bench.ads.batches = [HOURLY]
    bench.round()
    bench.dispatch._publisher.note_failing()
    assert certain(bench) == {}
    bench.round(RECHECK)
    assert certain(bench) == {"R1": ["H1"]}
