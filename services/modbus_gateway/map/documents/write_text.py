"""Write text: what docs/registers.md says of registers that SCADA writes."""

from collections.abc import Sequence
from typing import Final

from modbus_gateway.map.writable import ANSWER_REGISTERS, COMMIT_REGISTERS, PLACE_REGISTERS
from modbus_gateway.map.written_layout import (
    ANSWER_STATUS,
    ANSWER_WRITTEN,
    COMMIT_STATUS,
    COMMIT_WRITTEN,
    PLACE_LINES,
    PLACES_AT,
    Line,
)


def _table(written: Sequence[Line], read: Sequence[Line]) -> str:
    """The lines of a block in Markdown: its registers, whether SCADA writes them, the name in the map, type and meaning."""
    lines = [*((line, "written") for line in written), *((line, "read") for line in read)]
    rows = [f"| {_where(line)} | {how} | `{line.name}` | {line.form.type} | {line.meaning} |" for line, how in lines]
    return "\n".join(["| register | | name | type | meaning |", "| --- | --- | --- | --- | --- |", *rows])


def _where(line: Line) -> str:
    match line.form.registers:
        case 1:
            return f"{line.start}"
        case 2:
            return f"{line.start}, {line.start + 1}"
    return f"{line.start} to {line.end - 1}"


WRITES: Final = f"""\
## Registers that SCADA writes

Nothing can be written unless the map says so, and only at a gateway that runs as one plant: its `MODBUS_GATEWAY_INSTANCE`,
and its user at the broker, are the plant's ([telemetry.md](telemetry.md)).

```toml
[modbus]
allow_writes_from = ["10.20.0.0/24"]   # from where a client without a certificate may write; from nowhere unless given

[[modbus.write]]
unit_id = 11
address = 1000
resource = "SIERRA_2_BESS1"
point = "actual_mw"                    # the name of the telemetry: docs/telemetry.md
min = -60.0                            # beyond: refused
max = 60.0
quality = true                         # the register behind the value says how good it is: 192 or 0
expires_after_s = 10.0                 # stale, once it was not written for so long

[[modbus.write]]
unit_id = 11
address = 1010
resource = "SIERRA_2_BESS1"
point = "available_mw"
type = "int16"                         # any number or bool; word_order, byte_order, scale, offset as where it is read
scale = 10.0
commit = true                          # staged, and taken by the commit register

[[modbus.write]]
unit_id = 11
table = "coil"                         # or holding, unless given
address = 1000
resource = "SIERRA_2_BESS1"
point = "breaker_closed"
roles = ["operator"]                   # of certificates; without it every role that may write at all

[[modbus.commit]]                      # one for a unit: {COMMIT_REGISTERS} holding registers
unit_id = 11
address = 1100
watchdog_s = 30.0                      # SCADA is silent, once it wrote nothing for so long
commit_within_s = 30.0                 # how long staged values wait

[[modbus.answer]]                      # instructions to a resource: holding registers
unit_id = 11
address = 1200
resource = "SIERRA_2_BESS1"
places = 4                             # how many it lists
roles = ["operator"]
```

**Who.** A client with a certificate may write if its role is one of `MODBUS_GATEWAY_TLS_READ_WRITE_ROLES` and, where a line
has `roles`, one of these. A client without one may from the networks of the line's `allow_from`, which are
`allow_writes_from` unless given; a line that has `roles` and no `allow_from` takes nothing from it. An address proves
little: use TLS where others reach the network.

**What is answered.** A request is taken whole or not at all.

| answer | when | told on the bus as refused by |
| --- | --- | --- |
| 01 | this client may not write there | `role` |
| 02 | something of it takes no writes, or a value of several registers is not written whole | `point` |
| 03 | a value beyond its limits, not finite or "no value"; a commit that took nothing | `limits`, `value`, `commit` |
| 04 | not kept (disk); staged by another client; an answer is on its way, or has no broker | `commit`, `bus`, or none |
| 04 | within a second after the gateway or its machine was stopped for more than 2 s | `fault` |

Modbus/TCP Security has 01 for a role that may not. Where none of the addresses takes writes, 02 is of no point and no event.
What was written while the gateway was stopped waits with the system, and nobody knows how old it is when it is read: it is
refused, and so is what comes at that moment. Write it again.

**What is read back.** Each register that is written reads what was *taken*, and "no value" before, once it is stale, and
while it is only staged; a coil reads 0 then. What was refused changes nothing. A SCADA that reads back after it wrote sees
by this that the value is in force, and after a restart of the gateway that nothing is: write all values again when the
connection comes back.

**When a value is stale.** Once it was not written for its `expires_after_s`, or nobody wrote to the unit for `watchdog_s`; a
line needs one of both. Its register then reads "no value", its quality 0, and the bus is told at once. A value that became
stale by the watchdog stays so until it is written again. Any value that is taken or staged feeds the watchdog; the heartbeat
register does when it is written with another number than before, since a driver may repeat for ever what a controller said
that is gone. A number of a commit that is only repeated does not, nor does what answers an instruction.

### Commit

{_table(COMMIT_WRITTEN, COMMIT_STATUS)}

What one client has staged no other one adds to or confirms, until it is taken or gone. A commit that is refused lets go of
what was staged (not with result 6 or 7; the number of a 7 may be used again). Register 3 is of the number in register 2, but
for a 6, and a 3 that no commit was written for: these leave register 2 as it was. The same number again with nothing staged
is answered as before, and register 3 is its result again: a reply that was lost does no harm.

```
mbpoll -0 -1 -B -a 11 -p 5020 -t 4:float -r 1000 127.0.0.1 -- 48.5    # actual_mw, taken at once
mbpoll -0 -1 -B -a 11 -p 5020 -t 4:float -r 1000 127.0.0.1            # [1000]: 48.5
mbpoll -0 -1 -a 11 -p 5020 -t 4 -r 1010 127.0.0.1 -- 475              # available_mw 47.5, staged: 1010 reads 0x8000
mbpoll -0 -1 -a 11 -p 5020 -t 4 -r 1100 127.0.0.1 -- 7                # commit: 1010 reads 475
mbpoll -0 -1 -a 11 -p 5020 -t 4 -r 1100 -c 12 127.0.0.1               # 7 0 7 1 65535 65535 0 65535 1 ...
```

### Answers to instructions

The first {ANSWER_REGISTERS} registers are written, in one request or several, the sequence number last; they read what was
sent last. What is filled in waits for the number for 30 s.

{_table(ANSWER_WRITTEN, ANSWER_STATUS)}
| {ANSWER_STATUS[-1].end} to {PLACES_AT - 1} | | | | reserved |

A number that is 0, or was written before with another answer, sends nothing and is refused by `commit`: registers 8 to 10 then
speak of that, and register 7 stays. The same number again, with nothing else or with the same answer, is answered as before
and sent once, and the registers tell what became of it: a reply that was lost does no harm. What was refused by `bus` may be
written again under its number.

The words of a reply are those of [topics.md](topics.md#answering-an-instruction). Behind them stand {PLACE_REGISTERS} registers
for each place, in the order of the instructions' starts, big word order:

{_table((), PLACE_LINES)}

The number is made of what CAISO said: it is the same after a restart, and another one as soon as CAISO changes the
instruction, so that nobody accepts another one than was on the screen. ads_ingest judges, sends and replies as it does for
anybody.
"""
