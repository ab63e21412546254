"""Map draft: what the configuration says of registers, laid out as a register map. Pure.

A file with several mistakes has them told at once; `map_check` and `point_check` know them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Block, Modbus, OnBad, Point, Profile, RegisterType, Table
from dotbus.runtime.installation.toml_values import Market
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Location, Mistake, key_of
from modbus_gateway.map.addressing import from_0
from modbus_gateway.map.check import Area, check_areas, check_block, check_whole, fits, has_known_size
from modbus_gateway.map.file_facts import FileFacts
from modbus_gateway.map.form import Form
from modbus_gateway.map.layouts import Layout, Slot, lay_out
from modbus_gateway.map.point_check import check_point, form_of_point
from modbus_gateway.map.quality_check import check_told, doubtful_units
from modbus_gateway.map.quantities import QUANTITIES, Quantity, Scope
from modbus_gateway.map.register_map import About, Cell, Limits, Member, PriceAt, RegisterMap, Span, View

_Claimed = tuple[Area, tuple[Cell, ...]]
"""Addresses, and the values that stand there."""


def read_map(installation: Installation) -> RegisterMap:
    """The register map of an installation.

    Raises:
        ConfigurationRefused: with every mistake: names that are not in the file, blocks that overlap, values that do not fit.
    """
    return check_map(InstallationFile(installation, "dotbus.toml"))


def check_map(file: InstallationFile) -> RegisterMap:
    """The same of a file, which may have mistakes of other kinds; then only the mistakes of its map matter.

    Raises:
        ConfigurationRefused: with every mistake of the map.
    """
    register_map, mistakes = draft_map(file)
    if mistakes:
        raise ConfigurationRefused(mistakes)
    return register_map


def draft_map(file: InstallationFile) -> tuple[RegisterMap, list[Mistake]]:
    """The map of all that can be laid out, and what is wrong. What could not be read of the file is in neither."""
    file, mistakes = from_0(file)
    modbus, facts = file.installation.modbus, FileFacts(file)
    mistakes += check_whole(file)
    areas: list[_Claimed] = []
    for i, block in enumerate(modbus.blocks):
        mistakes += check_block(block, facts, at := ("modbus", "block", i))
        if _has_place(file, at) and has_known_size(block, facts, at) and fits(block, facts):
            areas += _areas_of_block(block, facts, key_of(at))
    for i, point in enumerate(modbus.points):
        mistakes += check_point(point, facts, at := ("modbus", "point", i))
        if _has_place(file, at, "table", "type", "quantity") and point.quantity in QUANTITIES:
            areas.append(_area_of_point(point, file.installation, key_of(at)))
    mistakes += check_areas([area for area, _ in areas], file.where)
    mistakes += _check_told(areas, facts, mistakes)
    return RegisterMap(*_served(areas, modbus)), mistakes


def _check_told(areas: list[_Claimed], facts: FileFacts, mistakes: list[Mistake]) -> Iterator[Mistake]:
    doubtful = doubtful_units(facts, mistakes)
    if doubtful is None:
        return
    beside: defaultdict[int, list[Cell]] = defaultdict(list)
    for area, cells in areas:
        beside[area.unit_id] += cells
    by_key = {area.key: cells for area, cells in areas}
    for i, point in enumerate(facts.file.installation.modbus.points):
        at = ("modbus", "point", i)
        for cell in by_key.get(key_of(at), ()) if point.unit_id not in doubtful else ():
            yield from check_told(point, cell, beside[point.unit_id], facts, at)


def _has_place(file: InstallationFile, at: Location, *more: str) -> bool:
    return all(file.is_as_given(*at, key) for key in ("unit_id", "address", *more))


def _areas_of_block(block: Block, facts: FileFacts, key: str) -> list[_Claimed]:
    places = facts.places(block)
    layout = lay_out(block.profile, len(places))
    cells = [(slot.table, cell) for slot in layout.slots if (cell := _cell(slot, layout, block, places))]
    found: list[_Claimed] = []
    for laid_out, length in layout.lengths.items():
        of_table = tuple(cell for its, cell in cells if its is laid_out)
        shown = [table for table in Table if table in block.tables and table.has_bits == laid_out.has_bits]
        for table in shown:
            of, notation = None if table is shown[0] else shown[0], facts.file.installation.modbus.addresses
            found.append((Area(key, block.unit_id, table, block.address, length, of, notation), of_table))
    return found


def _cell(slot: Slot, layout: Layout, block: Block, places: tuple[Member | None, ...]) -> Cell | None:
    quantity = QUANTITIES[slot.quantity]
    about = _relevant(_about(slot, block, places), quantity.scope)
    if (quantity.scope is Scope.PRICE and not about.prices) or (quantity.scope is Scope.RESOURCE and not about.members):
        return None  # nobody has this place, or a resource without a node has no price: the registers stay reserved
    return Cell(block.address + slot.address, quantity, about, _form(quantity, slot, layout, block))


def _about(slot: Slot, block: Block, places: tuple[Member | None, ...]) -> About:
    """Everything that a value at a place may be about; `_relevant` chooses."""
    chosen = places if slot.resource is None else places[slot.resource : slot.resource + 1]
    members = tuple(member for member in chosen if member)
    if slot.resource is not None:
        return About(members, _prices(members, block.lmp_market))
    if block.profile is Profile.PLANT:
        return About(members, _prices(members, block.lmp_market), block.unit_id)
    if block.lmp_node:
        return About(members, (PriceAt(block.lmp_market, block.lmp_node),))
    return About(members, _prices(members, block.lmp_market)[:1])


def _prices(members: Iterable[Member], market: Market) -> tuple[PriceAt, ...]:
    return tuple(PriceAt(market, member.resource.node) for member in members if member.resource.node)


def _form(quantity: Quantity, slot: Slot, layout: Layout, block: Block) -> Form:
    on_bad = block.on_bad or layout.on_bad
    if slot.on_bad and on_bad in (OnBad.HOLD, OnBad.VALUE):
        on_bad = slot.on_bad
    if on_bad is OnBad.VALUE and not quantity.is_measured:
        on_bad = OnBad.NAN
    kind = RegisterType.BIT if slot.table.has_bits else quantity.type
    return Form(kind, block.word_order or layout.word_order, on_bad, block.bad_value, byte_order=block.byte_order)


def _area_of_point(point: Point, installation: Installation, key: str) -> _Claimed:
    quantity = QUANTITIES[point.quantity]
    form = form_of_point(point, quantity)
    limits = Limits(point.least, point.most)
    cell = Cell(point.address, quantity, _about_point(point, installation), form, limits, point.unit)
    area = Area(key, point.unit_id, point.table, point.address, form.registers, notation=installation.modbus.addresses)
    return area, (cell,)


def _about_point(point: Point, installation: Installation) -> About:
    members = tuple(
        Member(plant.name, resource, point.stale_after_s)
        for plant in installation.plants
        for resource in plant.resources
        if resource.id == point.resource or (point.resource is None and plant.name == point.plant)
    )
    prices = (PriceAt(point.market, point.node),) if point.node else _prices(members, point.market)
    prices = tuple(replace(price, stale_after_s=point.stale_after_s) for price in prices)
    return _relevant(About(members, prices, point.unit_id), QUANTITIES[point.quantity].scope)


def _relevant(about: About, scope: Scope) -> About:
    """Without what a quantity of this scope is not read from: nobody has to follow that for it."""
    members = about.members if scope in (Scope.PLANT, Scope.RESOURCE) else ()
    prices = about.prices if scope in (Scope.PLANT, Scope.PRICE) else ()
    return About(members, prices, about.unit_id if scope is Scope.UNIT else None)


def _served(areas: list[_Claimed], modbus: Modbus) -> tuple[tuple[Span, ...], Modbus, tuple[View, ...]]:
    """Neighbouring areas as one, so that one request may read across them: a view where all of it stands elsewhere, too."""
    spans: list[Span] = []
    views: list[View] = []
    for run in _runs(areas):
        first, last = run[0][0], run[-1][0]
        where = (first.unit_id, first.table, first.start, last.end - first.start)
        if first.of and all(area.of is first.of for area, _ in run):
            views.append(View(*where, first.of))
        else:
            spans.append(Span(*where, tuple(cell for _, cells in run for cell in cells)))
    return tuple(spans), modbus, tuple(views)


def _runs(areas: list[_Claimed]) -> list[list[_Claimed]]:
    runs: list[list[_Claimed]] = []
    for area, cells in sorted(areas, key=lambda entry: entry[0].place):
        last = runs[-1][-1][0] if runs else None
        if last and (last.unit_id, last.table, last.end) == (area.unit_id, area.table, area.start):
            runs[-1].append((area, cells))
        else:
            runs.append([(area, cells)])
    return runs
