"""Layout: a register map as the subjects that it speaks of and the places where each unit shows them."""

from collections import defaultdict
from collections.abc import Sequence

from dotbus.judging.arrivals import ADS_INGEST, LMP_INGEST
from dotbus.judging.received import ADS_DISPATCH, ADS_TRAJECTORY, oasis_upstream
from dotbus.readings.subjects import Member, PriceAt
from dotbus.runtime.installation.modbus import StateTopic, Table
from modbus_gateway.map.register_map import Cell, RegisterMap, Span, StateField
from modbus_gateway.state.source_watch import Question
from modbus_gateway.values.subjects import GatewayItself, InstructionsOf, Subject, Whole, parts_of, subject_of
from modbus_gateway.wire.images.image import Area, Stretch
from modbus_gateway.wire.images.place import Place
from modbus_gateway.wire.images.shown_subject import ShownSubject
from modbus_gateway.wire.images.spots import Patterns
from modbus_gateway.wire.images.unit_image import Keeper, UnitImage

_Cells = dict[Subject, list[tuple[int, Cell]]]
"""The cells about each subject, with the number of the stretch that each stands in."""


def lay_out(register_map: RegisterMap, keeper: Keeper, render_s: float) -> tuple[list[ShownSubject], dict[int, UnitImage]]:
    """The subjects in the order of their numbers, and the image of each unit by its id."""
    subjects: dict[Subject, ShownSubject] = {}
    units: dict[int, UnitImage] = {}
    patterns = Patterns()
    for unit_id, of_unit in register_map.by_unit.items():
        cells = _cells(of_unit.spans)
        stretches = _stretches(of_unit.spans, cells)
        hold_at_most_s = register_map.judging.hold_at_most_s
        places = {about: Place(*patterns.of(its), stretches, hold_at_most_s) for about, its in cells.items()}
        for about, place in places.items():
            shown = subjects.setdefault(about, _shown(about, len(subjects), register_map))
            shown.places.append(place)
            shown.stale_times_s |= {cell.stale_after_s for _, cell in cells[about] if cell.stale_after_s is not None}
        for about in places:
            if isinstance(about, Whole):
                _join(subjects[about], about, subjects, places)
        written = [(subjects[about], place) for about, place in places.items()]
        units[unit_id] = UnitImage(keeper, _areas(of_unit, stretches), written, render_s)
    return list(subjects.values()), units


def watched(register_map: RegisterMap) -> tuple[Sequence[str], Sequence[Question]]:
    """Of the sources: the upstreams that matter to what is shown, and the questions that are."""
    about: list[Subject] = [GatewayItself(), *register_map.members, *register_map.prices, *register_map.fields]
    upstreams = dict.fromkeys(upstream for each in about for upstream in _upstreams(each))
    questions = dict.fromkeys(question for each in about for question in _questions(each, register_map))
    return tuple(upstreams), tuple(questions)


def _shown(about: Subject, number: int, register_map: RegisterMap) -> ShownSubject:
    return ShownSubject(number, about, _upstreams(about), _questions(about, register_map))


def _upstreams(about: Subject) -> Sequence[str]:
    match about:
        case Member():
            return ADS_DISPATCH, ADS_TRAJECTORY
        case PriceAt():
            return (oasis_upstream(about.market),)
        case InstructionsOf() | StateField(topic=StateTopic.DOT | StateTopic.INSTRUCTIONS):
            return (ADS_DISPATCH,)
        case StateField(topic=StateTopic.TRAJECTORY):
            return (ADS_TRAJECTORY,)
        case StateField(topic=StateTopic.LMP):
            return (oasis_upstream(about.scope),)
        case _:
            return ()


def _questions(about: Subject, register_map: RegisterMap) -> Sequence[Question]:
    judging = register_map.judging
    match about:
        case GatewayItself():
            return (
                Question(ADS_INGEST, None, judging.stale_after_s),
                Question(LMP_INGEST, None, judging.price_stale_after_s),
            )
        case PriceAt():
            return (Question(LMP_INGEST, oasis_upstream(about.market), judging.price_stale_after_s),)
        case _:
            return ()


def _cells(spans: Sequence[Span]) -> _Cells:
    """Of what plants are made of, too: where no cell speaks of it, there is nothing to write, but to know."""
    found: defaultdict[Subject, list[tuple[int, Cell]]] = defaultdict(list)
    for number, span in enumerate(spans):
        for cell in span.cells:
            found[subject_of(cell, span.unit_id)].append((number, cell))
    for whole in [about for about in found if isinstance(about, Whole)]:
        for part in parts_of(whole):
            found[part] += ()
    return dict(found)


def _stretches(spans: Sequence[Span], cells: _Cells) -> list[Stretch]:
    """Each span with the number of the subject, in their order, that each of its addresses speaks of."""
    writers: list[list[int | None]] = [[None] * span.length for span in spans]
    for subject, its in enumerate(cells.values()):
        for number, cell in its:
            first, count = cell.address - spans[number].start, cell.form.registers
            writers[number][first : first + count] = [subject] * count
    return [Stretch(span, of_span) for span, of_span in zip(spans, writers, strict=True)]


def _areas(of_unit: RegisterMap, stretches: Sequence[Stretch]) -> dict[Table, list[Area]]:
    """What each table of a unit serves: the stretches, and in other tables what is shown there, too."""
    found: defaultdict[Table, list[Area]] = defaultdict(list)
    by_table: defaultdict[Table, list[Stretch]] = defaultdict(list)
    for span, stretch in zip(of_unit.spans, stretches, strict=True):
        by_table[span.table].append(stretch)
        found[span.table].append(Area(span.start, span.length, stretch))
    for view in of_unit.views:
        found[view.table] += [Area(view.start, view.length, one) for one in by_table[view.of] if one.covers(view)]
    return {table: sorted(areas, key=lambda area: area.start) for table, areas in found.items()}


def _join(plant: ShownSubject, about: Whole, subjects: dict[Subject, ShownSubject], places: dict[Subject, Place]) -> None:
    """Have a plant, or a resource with its price, know what it is made of, and that know it."""
    plant.resources = [places[member] for member in about.about.members]
    plant.prices = [places[price] for price in about.about.prices]
    parts = dict.fromkeys(parts_of(about))
    plant.instructions = [places[part] for part in parts if isinstance(part, InstructionsOf)]
    for part in parts:
        subjects[part].plants.append(plant.number)
