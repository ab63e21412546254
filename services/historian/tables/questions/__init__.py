"""Questions: what analysts ask of the database, as SQL to begin from. A test runs each on a database filled with samples."""

from historian.tables.questions.dispatch import DISPATCH
from historian.tables.questions.events import EVENTS
from historian.tables.questions.plants import PLANTS
from historian.tables.questions.prices import PRICES
from historian.tables.questions.question import Question

QUESTIONS = (*DISPATCH, *PLANTS, *PRICES, *EVENTS)

__all__ = ["QUESTIONS", "Question"]
