"""Trajectory: one round of the loop for trajectory batches (specification, section 4). Its cursor is its own.

All that is new comes in one document, so there is nothing to go on with when that cannot be had: it is asked for again, and the
dispatch batches are not held up by it.
"""

from collections.abc import Callable
from datetime import datetime

from ads_ingest.books import TrajectoryBook
from ads_ingest.caiso import Caiso, ask_since
from ads_ingest.evidence import Evidence
from ads_ingest.faults import AdsFailure
from ads_ingest.files import LatestFiles
from ads_ingest.keeping import Keeper
from ads_ingest.records import TrajectoryList
from ads_ingest.translate import Sender, translate_trajectory
from ads_ingest.turns import Turns
from dotbus.contracts.messages import Trajectory

CURSOR = "trajectory"


class TrajectoryStream:
    """Follows the trajectory batches.

    Args:
        caiso: who is asked.
        keeper: where they go.
        sender: who passes them on.
        evidence: where unusable parts go.
        files: the latest document for whoever reads files.
        clock: the wall clock.
    """

    def __init__(
        self,
        caiso: Caiso,
        keeper: Keeper[TrajectoryBook, Trajectory],
        sender: Sender,
        *,
        evidence: Evidence,
        files: LatestFiles,
        clock: Callable[[], datetime],
    ) -> None:
        self._caiso = caiso
        self._keeper = keeper
        self._sender = sender
        self._evidence = evidence
        self._files = files
        self._clock = clock
        self._turned = Turns()

    def round(self) -> list[AdsFailure]:
        """Ask whether there is something new, and for it. Returns nothing: there are no parts that could fail alone.

        Raises:
            AdsFailure: CAISO did not tell.
            sqlite3.Error: the outbox cannot keep anything.
        """
        if self._turned.went_back(self._clock()):
            self._keeper.begin_anew()
        self._keeper.board.complete = True  # all that is new comes at once, before anything is said
        is_new, cursor = ask_since(self._caiso.fetch_whether_new_trajectory, self._keeper.cursor)
        if is_new:
            listed, cursor = ask_since(self._caiso.fetch_trajectories_since, cursor)
            self._keep(listed, cursor)
        else:
            self._keeper.heard_at = self._clock()
            self._keeper.commit(self._clock(), (), cursor)
        return []

    def _keep(self, listed: TrajectoryList, cursor: str) -> None:
        now = self._clock()
        board = self._keeper.board
        events = [event for record in listed.batches for event in translate_trajectory(record, self._sender, now)]
        for event in events:
            board.put(event.resource_id, board.book(event.resource_id).with_batch(event))
        self._keeper.heard_at = now
        self._keeper.commit(now, events, listed.batches[-1].header.batch_uid if listed.batches else cursor)
        self._evidence.of_problems("getTrajectoryData", listed.problems, listed.xml, now)
        if listed.batches:
            self._files.note_trajectory(listed)
