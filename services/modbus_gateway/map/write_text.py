"""Write text: what docs/registers.md says of registers that SCADA writes."""

from typing import Final

from modbus_gateway.map.writable import ANSWER_REGISTERS, COMMIT_REGISTERS, PLACE_REGISTERS, REPLY_REGISTERS

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

Modbus/TCP Security has 01 for a role that may not. Where none of the addresses takes writes, 02 is of no point and no event.

**What is read back.** Each register that is written reads what was *taken*, and "no value" before, once it is stale, and
while it is only staged; a coil reads 0 then. What was refused changes nothing. A SCADA that reads back after it wrote sees
by this that the value is in force, and after a restart of the gateway that nothing is: write all values again when the
connection comes back.

**When a value is stale.** Once it was not written for its `expires_after_s`, or nobody wrote to the unit for `watchdog_s`; a
line needs one of both. Its register then reads "no value", its quality 0, and the bus is told at once. A value that became
stale by the watchdog stays so until it is written again. Any write that is taken feeds the watchdog; the heartbeat register
does when it is written with another number than before, since a driver may repeat for ever what a controller said that is
gone.

### Commit

| register | | meaning |
| --- | --- | --- |
| 0 | written | sequence number, 1 to 65535, another one than last time: take what is staged, or nothing |
| 1 | written | heartbeat: any number that differs from the last. Reads that |
| 2 | read | sequence number that was answered last, 0 before the first |
| 3 | read | result, see below |
| 4 | read | table of the first point that was wrong: 0 coil, 4 holding register, 0xFFFF none |
| 5 | read | its address, from 0 |
| 6 | read | how many values are staged |
| 7 | read | seconds until they are gone, 0xFFFF without any |
| 8 | read | watchdog: 1 SCADA writes, 0 it is silent or never wrote, 0xFFFF the unit has none |
| 9 | read | seconds since the last write, 0xFFFF before the first |
| 10 | read | how many points of the unit are good |
| 11 | read | how many it has |

Results: 0 nothing yet, 1 taken, 2 nothing was staged, 3 not confirmed in time, 4 a value was none, 5 a value beyond its
limits, 6 the number is 0 or was answered before, 7 it could not be kept.

What one client has staged no other one adds to or confirms, until it is taken or gone. A commit that is refused lets go of
what was staged (not with result 6 or 7). The same number again with nothing staged is answered as before: a reply that was
lost does no harm.

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

| register | | meaning |
| --- | --- | --- |
| 0, 1 | written | number of the instruction, uint32, from the list below |
| 2 | written | 1 acknowledge (told to nobody, kept as a write), 2 accept, 3 decline, 4 partial |
| 3 | written | reason code of CAISO's, 10 to 16, to decline and to accept in part; else 0 |
| 4, 5 | written | megawatts of a partial answer, float32; else NaN |
| 6 | written | sequence number, 1 to 65535, another one than last time: send it |
| 7 | read | sequence number that was written last |
| 8 | read | outcome, see below |
| 9 | read | CAISO's result code, 0xFFFF without one |
| 10 | read | what refused it, see below |
| 11 to 34 | read | the reply in words, a string of 24 registers |
| 35 | read | quality of the list: 192, 64, 0 |
| 36 | read | how many instructions can be answered, listed or not; 0xFFFF while the list is bad |
| 37 to {ANSWER_REGISTERS + REPLY_REGISTERS - 1} | | reserved |

Outcomes: 0 nothing yet, 1 sent, 2 taken by CAISO, 3 refused, 4 unknown (CAISO may have taken it), 5 dry run, 6 no reply in
time, 7 acknowledged. Refused by: 0 nothing, 1 command (the registers say no answer), 2 commit (the sequence number), 3 bus,
and then the words of a reply ([topics.md](topics.md#answering-an-instruction)): 4 fault, 5 message, 6 topic, 7 environment,
8 time, 9 expired, 10 instruction, 11 window, 12 megawatts, 13 reason, 14 repeated, 15 answered, 16 account, 17 busy, 18
outbox, 19 broker, 20 unreachable, 21 caiso; 255 any other.

Behind them {PLACE_REGISTERS} registers for each place, in the order of the instructions' starts, big word order; a place
without one reads 0xFFFF and NaN: number (uint32), instruction type and batch type of CAISO's (uint16), megawatts (float32),
start, and when the time for answers ends (uint32, seconds since 1970 UTC).

The number is made of what CAISO said: it is the same after a restart, and another one as soon as CAISO changes the
instruction, so that nobody accepts another one than was on the screen. ads_ingest judges, sends and replies as it does for
anybody.
"""
