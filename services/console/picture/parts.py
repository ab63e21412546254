"""Parts: the forms in which a page is told what to show. Times are seconds since 1970, absent is null.

A page gets them as JSON, each under its own key, and again only when it changed.
"""

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """What is shown of one thing. Equal parts need not be sent again."""


class Shown(Part, frozen=True, kw_only=True):
    """A value with its quality.

    Attributes:
        value: in its unit; null where there is none.
        level: good, uncertain or bad.
        words: why it is less than good; `good` when it is.
    """

    value: float | None
    level: str
    words: str


class ShownDot(Part, frozen=True, kw_only=True):
    """A DOT with its interval."""

    mw: Shown
    start: float | None = None
    end: float | None = None
    target: float | None = None


class ShownInstruction(Part, frozen=True, kw_only=True):
    """An instruction, and until when it can be answered.

    Attributes:
        what: the kind, in CAISO's words.
        standing: in force, in doubt or not in force.
        mw: what it instructs.
        level: good, uncertain or bad.
        words: why it is less than good.
        answer: what was answered.
        is_open: whether CAISO takes an answer now.
        open_until: until when.
        min_accept_mw: the least that may be accepted in part.
    """

    batch_uid: str
    instruction_uid: str
    what: str
    standing: str
    mw: float | None
    start: float
    end: float | None
    level: str
    words: str
    answer: str | None = None
    is_open: bool = False
    open_until: float | None = None
    min_accept_mw: float | None = None


class ShownResource(Part, frozen=True, kw_only=True):
    """All of one resource.

    Attributes:
        is_configured: whether this installation's file names it.
        level: the worst of what it is to be operated by: DOT, set-point and trajectory where one was said.
        words: why.
        set_point_target: the value that the ramp leads to next.
        price_of: the market and node of the price.
    """

    plant: str
    resource: str
    is_configured: bool
    level: str
    words: str
    dot: ShownDot
    next_dot: ShownDot
    set_point: Shown
    trajectory: Shown
    actual: Shown | None
    available: Shown | None
    price: Shown | None
    price_of: str | None
    price_start: float | None
    pmin_mw: float | None
    pmax_mw: float | None
    instructions: tuple[ShownInstruction, ...]
    instructions_level: str
    instructions_words: str


class ShownUpstream(Part, frozen=True, kw_only=True):
    """Whom a service asks, and how it is answered."""

    name: str
    is_ok: bool
    words: str


class ShownService(Part, frozen=True, kw_only=True):
    """One service's instance.

    Attributes:
        state: running, degraded, silent or stopped.
        level: good, uncertain or bad.
        words: what is wrong; `good` when nothing is.
        do: what to do about it, a line each.
        unpublished: events that wait for the broker; null of one that publishes none.
        certificate_days: how long its client certificate lasts.
    """

    source: str
    state: str
    level: str
    words: str
    do: tuple[str, ...]
    since: float
    version: str
    upstreams: tuple[ShownUpstream, ...]
    unpublished: int | None
    certificate_days: float | None


class ShownGap(Part, frozen=True, kw_only=True):
    """What can not be had any more."""

    source: str
    upstream: str
    start: float
    end: float
    words: str


class ShownConsole(Part, frozen=True, kw_only=True):
    """The installation, and the console itself.

    Attributes:
        hears_broker: whether it hears the broker.
        environment: production, stage or simulator.
        plants: in the order of the file.
    """

    hears_broker: bool
    environment: str
    plants: tuple[str, ...]
    version: str
