"""Explore: every way in which a world can go on, breadth first, to a depth; one of those with the same future."""

from collections.abc import Mapping
from dataclasses import dataclass

from model.actions import Action
from model.forking import fork, key_of
from model.invariant import Violation
from model.world import World

Trace = tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """A violation, and the shortest way to it."""

    trace: Trace
    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(self.trace, 1))
        return "\n".join([*map(str, self.violations), steps])


@dataclass(frozen=True)
class Exploration:
    """What was seen.

    Attributes:
        states: how many different worlds, the first one included.
        transitions: how many actions were tried.
        layers: new worlds at each depth.
    """

    states: int
    transitions: int
    layers: tuple[int, ...]
    found: tuple[Found, ...] = ()

    def __str__(self) -> str:
        return f"depth {len(self.layers)}: {self.states} states, {self.transitions} transitions, {len(self.found)} violations"


def explore(start: World, actions: Mapping[str, Action], depth: int, *, most_found: int = 1) -> Exploration:
    """All worlds that so many actions lead to.

    Args:
        start: where all begins; it is not changed.
        actions: what may happen.
        depth: how many of them.
        most_found: after so many violations the search ends. A world with one is not gone on with.
    """
    if violations := fork(start).look():
        return Exploration(1, 0, (), (Found((), tuple(violations)),))
    seen = {key_of(start)}
    edge: list[tuple[World, Trace]] = [(start, ())]
    transitions, layers, found = 0, [], []
    for level in range(1, depth + 1):
        reached: list[tuple[World, Trace]] = []
        for world, trace in edge:
            for name in [name for name, action in actions.items() if action.may(world)]:
                next_world = fork(world)
                transitions += 1
                if violations := actions[name].happen(next_world):
                    found.append(Found((*trace, name), tuple(dict.fromkeys(violations))))
                    if len(found) >= most_found:
                        return Exploration(len(seen), transitions, (*layers, len(reached)), tuple(found))
                elif (key := key_of(next_world)) not in seen:
                    seen.add(key)
                    reached.append((next_world, (*trace, name)) if level < depth else (start, ()))
        layers.append(len(reached))
        edge = reached
    return Exploration(len(seen), transitions, tuple(layers), tuple(found))


def replay(start: World, actions: Mapping[str, Action], trace: Trace) -> list[Violation]:
    """What registers showed wrongly at any step of a trace."""
    world = fork(start)
    return [violation for name in trace for violation in actions[name].happen(world)]
