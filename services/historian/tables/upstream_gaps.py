"""Gaps of upstreams: what a source could not have of CAISO, and will not have any more."""

import sqlalchemy as sa

from historian.tables.columns import LARGE, TEXT, TIME, environment, metadata, needed, of_event, told

upstream_gap = sa.Table(
    "upstream_gap",
    metadata,
    sa.Column("event_no", LARGE, primary_key=True, autoincrement=False, comment="Number of the event."),
    environment(),
    needed("upstream", TEXT, "What is missing, as the source's status calls it: ads_dispatch, ads_trajectory, oasis_rtm, ..."),
    *told(TEXT, {"account": "Which ADS account; null where the source has only one."}),
    needed("missing_from", TIME, "Since when; of ADS when it was heard last before, UTC."),
    needed("missing_until", TIME, "Until when; of ADS a day before it was heard again, UTC."),
    needed("detail", TEXT, "The same in words."),
    *of_event(),
    sa.UniqueConstraint("event_id", "environment"),
    comment="Times of which something of CAISO's is missing for good: ADS forgot it before it was heard, OASIS has it no more.",
)
