"""Register text: what docs/registers.md says around its tables."""

from typing import Final

from modbus_gateway.map.layouts import CLASSIC_RESOURCES, MAP_VERSION, PLANT_STRIDE

INTRODUCTION: Final = """\
# Registers

This page is generated from the code by `make docs`. Addresses are protocol addresses, from 0: holding register 40001 of a
SCADA package is address 0, input register 30001, discrete input 10001 and coil 00001 are address 0 of the other tables.

A file may write addresses in another way and says so in `[modbus]`: `addresses = "1-based"`, or `"4xxxx"` with a first digit
for the table (0 coil, 1 discrete input, 3 input register, 4 holding register) and 4 or 5 digits more, such as 40101 or 400101.
A point then needs no `table`. A coil above 9999 is written as a text, "010000".

A unit has four tables: function 01 reads coils, 02 discrete inputs, 03 holding registers and 04 input registers. The registers
of a `[[modbus.block]]` stand in holding and, the same at the same addresses, in input; its bits in discrete and in coil. With
`tables = ["holding"]` it is in those alone. A `[[modbus.point]]` stands in its own `table` alone, holding unless it is given.
Writes are refused with exception 01, unless the map lets something be written (see below). Function 43/14 names the gateway and
its version. Unit ids 0 and 255 answer as the unit that `[modbus] alias_of` names, if it does: some clients ask by these where a
device has one unit.

## How values are written

| type | registers | "no value" |
| --- | --- | --- |
| float32 | 2 | NaN (0x7FC00000) |
| float64 | 4 | NaN (0x7FF8000000000000) |
| uint16 | 1 | 0xFFFF |
| int16 | 1 | 0x8000 |
| uint32 | 2 | 0xFFFFFFFF |
| int32 | 2 | 0x80000000 |
| uint64 | 4 | 0xFFFFFFFFFFFFFFFF |
| int64 | 4 | 0x8000000000000000 |
| bits | 1 | 0xFFFF |
| bool | 1 | 0 |
| string | `length` | zeros |
| bit | 1 discrete input or coil | 0 |

Word order `big` puts the high word first, `little` the low word. Byte order `big` puts the high byte of each register first, as
Modbus says, `little` the low byte, in registers of 16 bits as well. Together they are the four orders of SCADA packages:

| | `byte_order = "big"` | `byte_order = "little"` |
| --- | --- | --- |
| `word_order = "big"` | ABCD | BADC |
| `word_order = "little"` | CDAB | DCBA |

12.5 as float32 is [0x4148, 0x0000] in ABCD and [0x0000, 0x4148] in CDAB. Times are seconds since 1970-01-01 UTC, as uint32 or
another type that keeps every digit (int32, uint64, int64, float64). `bits` is a mask of reasons, `bool` a flag in a whole
register, 1 or 0: as a flag in a bit it has no third state.

"No value" stands where there is nothing to show and nothing is wrong: no next DOT yet, no SUPP segment. While the quality of a
value is bad its registers show what `on_bad` chose: `hold` what they showed before (at first "no value"), for `hold_at_most_s`
and then "no value"; `value` the `bad_value` of the block or point, scaled like a value (megawatts and prices; everything else
"no value"); `nan` "no value"; `exception` nothing: each request that touches one is refused with exception 04. A flag in a
bit or a `bool` falls to 0 at once, except with `exception`. Uncertain values are shown. Quality, reasons, ages and the header
are never bad themselves.

Megawatts and prices may have a `scale` and an `offset`, nothing else: their registers show the value times the one plus the
other, an integer rounded half away from zero. A scale is at least 1 for an integer, which would lose the value otherwise, at
least 0.000001 for a float, at most 1e9, or the negative of such a number. `unit` names what the register then counts in, for
whoever reads the map. A value that its registers cannot carry (400 MW times 100 in an int16) is `invalid`, and so bad, for its
quality and reasons registers at the same unit id too, and so for every register of that quantity and resource there: they share
one quality. A register that is to carry what another one cannot stands at another unit id.

A point may have limits of its own, which count besides those of its resource and of `[modbus]`: beyond `min` and `max` (of the
value, before scale and offset) it is shown and `out_of_limits`, and `stale` once CAISO has not been heard about it for
`stale_after_s`. What they say against it is said by its quality and reasons registers at the same unit id, and by all
registers that share these.

A number that stands in place of a bad value must be told from a good one. So a `[[modbus.point]]` that holds, or whose
`bad_value` could be real, must have its quality at the same unit id, or the check refuses it: the quantity that the table
of quantities names beside it, of the same resource or price, or the reasons for it. For the latest DOP `trajectory_fresh`
or `trajectories_fresh` serves as well, for the latest published price `lmp_fresh`. A `bad_value` could be real unless what
its registers show, scaled and rounded, lies outside what they show of the resource's pmin_mw and pmax_mw (SUPP and prices
have no limits, so any could be), is neither 1 nor 0 for a flag, or not above 0 for a time.

Registers of a block that no value uses are reserved and read 0xFFFF, reserved bits 0. Addresses outside every block
answer exception 02, a unit id that is not configured 0B, an impossible count 03. What is shown was true
within the last two seconds, and not past the end of an interval or of a limit: a request that waited longer is answered by
registers made anew.
"""

COMMANDS: Final = """\
## The map on paper, in tags and on the wire

`modbus-gateway map` prints what stands at which register, from `dotbus.toml` alone: no gateway has to run.

| command | writes |
| --- | --- |
| `modbus-gateway map` | a table of text, what SCADA writes included; `--unit 11` and `--table input` choose |
| `modbus-gateway map --format markdown` | the same for documents; `csv` and `json` have every key of the configuration |
| `modbus-gateway map --for ignition --device dotbus` | Ignition's tag import (JSON) for the device of that name |
| `modbus-gateway map --for kepware --unit 11` | Kepware's CSV of tags for the device of that unit |
| `modbus-gateway map --for mbpoll --host 10.0.0.5` | a command line for each register, to be run as it is |
| `modbus-gateway import-map registers.csv` | a CSV table as tables of `dotbus.toml`, or every mistake in it with its line |
| `modbus-gateway read --host 10.0.0.5` | each value as it is now, decoded, with quality, reasons and age; `--json` |
| `dotbus registers --host 10.0.0.5` | the same for a screen, with the words of the registers; `--json` |

The CSV of `map` goes back through `import-map`, every line of it, so that a spreadsheet can be the place where a map is kept:
what is read becomes `[[modbus.point]]`, also the lines of a block, and what SCADA writes `[[modbus.write]]`,
`[[modbus.commit]]` or `[[modbus.answer]]` (column `part`). Of these the line of the value, of `sequence` and of `instruction`
has the keys of the table; what follows from it may be left out, and else has to stand where the table puts it. Several names
in a cell stand between ` + `. Reserved registers have no line, and answer exception 02 afterwards; `alias_of` and what else
is said of the whole of `[modbus]` stays in `dotbus.toml`.
A file that has `address_4xxxx` alone needs no `table`. The points have addresses from 0 unless `--addresses` names the
notation of the `dotbus.toml` that they go to.
In Ignition and Kepware addresses count from 1 (the default of both), and the order of bytes is a setting of the device: each
tag's description says which one it needs. Tags of what SCADA writes (column `access`) take writes, all others are read only.
Where a unit shows one quantity of one resource at several addresses, each of these tags ends in its address. `--for mbpoll`
only reads, also what is written: nothing changes by running its lines. How Ignition is set up, and tags that are bad there when
their quality register says so: [clients.md](clients.md#ignition).

`read` and `registers` tell of what SCADA writes what was taken, whether it counts now, what became of the last commit (which
point was wrong, and what it takes) and of the last answer (what refused it, and the reply). The registers have no age of it:
while it counts, it is at most `expires_after_s` old, and not younger than the last write to its unit. Who wrote it is told on
the bus ([telemetry.md](telemetry.md)) and by the historian (`point_write_history`), not by a register.

```
mbpoll -m tcp -p 5020 -a 11 -r 103 -c 1 -t 4:float -B -1 127.0.0.1   # dot_mw of the first resource, ABCD: -B
mbpoll -m tcp -p 5020 -a 1 -r 1 -c 1 -t 4:float -1 127.0.0.1         # the classic map's first DOP, CDAB: no -B
mbpoll -m tcp -p 5020 -a 11 -r 101 -c 2 -t 4 -1 127.0.0.1            # its quality (192, 64 or 0) and the reasons
mbpoll -m tcp -p 5020 -a 11 -r 101 -c 100 -t 4:hex -1 127.0.0.1      # all registers of the first resource
mbpoll -m tcp -p 5020 -a 1 -r 1 -c 16 -t 1 -1 127.0.0.1              # the classic map's flags
```

`-r` counts from 1, `-a` is the unit id, `-t 3` reads input registers and `-t 0` coils.

## What a controller does at 192, 64 and 0

Read a value and its quality in one request: they are of one moment. Then

| quality | what it means | what a controller does |
| --- | --- | --- |
| 192, good | CAISO said or confirmed it of late, nothing speaks against it | follow it |
| 64, uncertain | it was right when said and is not over; it may have been replaced since | follow it and tell the operator |
| 0, bad | it must not be acted on, whatever the register shows | alarm; keep the output or go to the plant's own fallback |

What the fallback is, and whether an uncertain value may begin what is hard to take back, is the plant's to decide and to agree
with CAISO; the registers say only what is known.

- What is uncertain because its source or the broker was lost (`source_offline`, `source_failing`, `broker_lost`) becomes bad by
  itself, `stale`, after `stale_after_s`: a controller needs no timer for that.
- `out_of_limits` alone is a value beyond what `dotbus.toml` says of the resource, or a ramp that is too steep: keep to the
  plant's own limit and tell CAISO. It stays uncertain for as long as CAISO says so.
- `incomplete` means that something is missing that the value is made of, or that sources contradict each other.
- `clock_in_doubt` on everything at once is this machine's clock, or an ingest's: look at NTP first.
- `expired` on the DOT means that no interval covers now. `next_dot_start` tells when the next one begins, if CAISO has said it.
- "No value" (NaN, 0xFFFF) with a quality of 192 means that there is nothing to follow, such as no SUPP segment.
- No reply, exception 04 or 0B, or a `heartbeat` that stands still for 5 s is as 0. So is a `map_hash` that is not the one that
  was written down at commissioning: what is read may be another resource's.
- With `on_bad = "hold"` or `"value"` the register shows a number at 0 too. Only the quality tells.

## Two gateways side by side

Any number of gateways may serve the same, each with its own `INSTANCE`. All show the same values at any time;
`redundancy_state` (register 12 of a plant block's header, or a point) only tells which one to read:

| value | it means |
| --- | --- |
| 1 | active: read this one, also where it is alone |
| 2 | standby: another one is active, or this one is about to take its place |
| 0 | not known: it began to listen less than 7.5 s ago (12.5 s beside one that goes first), hears no broker, or too late |

A SCADA reads the one that shows 1; where none answers with 1, any whose values are good. For up to some seconds two may show
1, or none.

- Beside each other are gateways of one environment whose units all have the same `map_hash`. Where maps differ, as between
  two reloads, each is active for itself.
- Who is active stays so. When it goes (its last will, or two heartbeats missing: 12 s) the one that started first takes its
  place, then the name counts. Who comes back is standby.
- **Who follows 1 sees no value go back.** A gateway that takes the place of another one shows 1 only once what it said of
  that has come back to it from the broker, and with it all that the other one may have shown. Until then it shows 2. Where
  two begin to listen at once, as after the broker was restarted, the one that started later waits 5 s longer for the other.
- **What changing from one to the other shows** to who does not follow it, or where none shows 1. Within one gateway no register
  goes back to what an earlier revision said. Of two whose value is good, one may be behind the other by what is on its way to
  it, and by no more than what came to the broker within the last 11 s: each says a heartbeat every 5 s, and hears it behind all
  that was said before. When one takes more than 5 s to come back, the gateway's values are uncertain (`broker_lost`) and
  `redundancy_state` and `broker_connected` are 0, though its connection seems to stand. So it is from the first request on when
  a gateway was stopped for more than 2 s, as with a virtual machine that is paused, until a heartbeat of after the stop has
  come back.
"""

CHANGES: Final = """\
## What a plant has otherwise than its profile

A block takes a profile as it is, and its changes after that, line by line:

```toml
[[modbus.block]]
profile = "plant"
unit_id = 11

[[modbus.block.change]]           # of every resource of the block, or with resource = "..." of one
quantity = "dot_mw"
type = "int16"                    # and scale, offset, unit, min, max, stale_after_s, word_order, byte_order, on_bad, bad_value
scale = 10.0

[[modbus.block.change]]
quantity = "set_point_mw"
resource = "SIERRA_2_BESS1"
address = 90                      # where this one goes, in the block or outside it

[[modbus.block.change]]
quantity = "lmp_age_s"
remove = true                     # its registers are reserved

[[modbus.block.add]]              # as a [[modbus.point]], without unit_id, and shown in the tables of the block
quantity = "trajectory_fresh"
resource = "SIERRA_2_BESS1"
address = 224
```

What then overlaps, does not fit its type, or keeps a number while it is bad without a register that says so, is refused.

## When the configuration changes

SCADA reads addresses and knows no names, so what stands at one must not change unnoticed.

- A block's `resources` gives each resource its place, `""` leaves one free: its registers are reserved, and `resource_count`
  does not count it. To take a resource out write `""` in its place; a new one goes there or to the end. A block without
  `resources` has them in the file's order, and taking one out moves those after it.
- `map_hash` is a number from 1 to 2147483646 over all that the readers of its unit id rely on: which stretches are served, and
  for every address the quantity (and that it is of the hourly schedule, when the resource follows that, and for `must_follow`
  that the resource is variable), whose it is (resource,
  or market and node), type, word order, scale and `on_bad`. **Write it
  down at commissioning; when it differs, the map moved.** A change elsewhere leaves it alone: other units, limits, names
  of plants, the order of plants and resources where `resources` gives the places. A later version of dotbus that puts
  a quantity where registers were reserved changes it, too, and the changelog says so.
- `dotbus check --config NEW.toml --against OLD.toml` tells each address that would say something else, where what stood
  there went, each unit's `map_hash` before and after, and a change of `accept_environments`. It ends with 0 when nothing
  moves, with 3 when something does.
"""

QUALITY: Final = """\
## Quality and reasons

A quality register shows OPC's number: 192 good, 64 uncertain, 0 bad. A reasons register has a bit for each reason.
"""

CLASSIC: Final = f"""\
## Profile classic

The map that this project's predecessors served. Little word order and `hold` unless the block says otherwise; at most
{CLASSIC_RESOURCES} resources; i is a resource's place, counted from 0. SUPP and the active price are neither held nor
replaced by `bad_value`: past their interval they show "no value", because no flag of the predecessors' map told that it is
over. Discrete inputs 3 and 4 stand where that map has none. Discrete input 3 is 1 while each resource has a DOT in force
that may be believed, 4 while the clocks of all ingests that are online agree with CAISO's and ours. Discrete input 2 is 0
as soon as one of the trajectories whose DOPs it shows is bad, for instance because no new one came for
`trajectory_stale_after_s`.
"""

PLANT: Final = f"""\
## Profile plant

Version {MAP_VERSION}. Big word order and `nan` unless the block says otherwise. The header takes the first {PLANT_STRIDE}
registers, each place the next {PLANT_STRIDE}: the first resource begins at {PLANT_STRIDE}, the second at
{2 * PLANT_STRIDE}. One request can read a whole one. Quantities may be added where registers are reserved; none moves within a
version. What is moved or added by hand stands safest behind the last place: a later version may use what is reserved.

What counts down (`dot_changes_in_s`, `dot_target_in_s`, `answer_closes_in_s`, `next_commitment_in_s`) is rounded up, ends
at 0 and is never held: it is "no value" while there is nothing to wait for, or what it counts to is bad. `dot_changes_in_s`
passes over a DOT that asks the same megawatts, SUPP and must-follow as the one in force; how good what follows is,
`next_dot_quality` tells.

`instruction_changes` is for an alarm: any other number than before means that CAISO instructs something new. It counts each
instruction, and each revision of one, that the gateway did not know; one that was gone and comes again counts again, one
that ends does not. It begins anew with the gateway, and two gateways count apart.

Of instructions, what is in doubt counts as in force and is `incomplete`; so are constraints that leave no megawatts between
them, and two of one kind of which nobody can say which holds. That there is none of a kind is "no value", as good as the
state that says so. `commitment` is the start-up or shut-down that began last, `next_commitment` the one that begins first
of those ahead.

A block shows the alarms of the plant that all its resources are of, with those of the installation, as that plant's operator
has them before him ([alarms.md](alarms.md)). Of a block of several plants these registers are reserved; a `[[modbus.point]]`
with `plant` shows those of any plant, and with `plant = "installation"` those of no plant alone. They are never 0 because
nothing is known: `alarms_quality` is bad, and they show what bad values do, before the first summary and once the service of
alarms vouches for the last one no longer (a minute), and uncertain at once when it says that it went or its clock is in doubt.
No alarm is 0 alarms of quality 192, and "no value" for the newest one.
"""

ALARMS: Final = """\
### Alarm codes

What `newest_alarm_code` shows. A number never changes its meaning; a later version may have more of them.
"""

FIELDS: Final = """\
## Fields of states

What no quantity shows may be taken from a state as it is said on the bus (see [topics.md](topics.md)): `topic` names which,
`path` the field, and the line says whose state it is.

| `topic` | whose | message |
| --- | --- | --- |
| `dot` | `resource` | [Dot](../schemas/dot.schema.json) |
| `trajectory` | `resource` | [Trajectory](../schemas/trajectory.schema.json) |
| `instructions` | `resource` | [Instructions](../schemas/instructions.schema.json) |
| `lmp` | `market`, and `node` or `resource` | [Lmp](../schemas/lmp.schema.json) |
| `service` | `service` (ads_ingest or lmp_ingest) and `instance` | [ServiceStatus](../schemas/service.schema.json) |

```toml
[[modbus.point]]
unit_id = 20
address = 0
topic = "instructions"
path = "instructions[0].what"     # names of fields with a point between them, and of a list the entry, from 0
resource = "SIERRA_2_BESS1"
length = 10                       # a text's, in registers

[[modbus.point]]
unit_id = 20
address = 10
topic = "instructions"
path = "instructions[0].what"
resource = "SIERRA_2_BESS1"
shows = "quality"                 # or "reasons"; "value" unless given
```

A number is float32 or int32 (int64 where it may be larger) unless `type` says otherwise, a time uint32, a flag uint16, reasons
bits, a text string. What a message does not say (null, an entry beyond the end of its list) is "no value" and nothing is wrong.
The field is as good as its state: `never_received`, `stale`, `source_offline` and the others as for quantities. Besides, it is
`expired` once the interval or the instruction that it stands in is over, or another source knows it to be withdrawn, has the
reasons that its part of the message has for itself, and is `incomplete` while another source that is believed says otherwise or
the instruction is in doubt. A status counts for 15 s. An entry of a list is that entry and no more: `intervals[0]` is the first
interval of a state, which may be over; what is in force now is what `dot_mw` shows.
"""

POINTS: Final = """\
## Quantities

Any of these can stand anywhere with a `[[modbus.point]]`. A quantity of the gateway or the unit needs no name, a plant
quantity and a plant's alarms `plant`, a resource quantity `resource`, a price quantity `node` or `resource`, and `market` (RTM
when it is not given). Flags ("1 or 0") may be discrete inputs or coils. The column quality names the quantity that tells how
good a value is; what has none is never bad itself.
"""
