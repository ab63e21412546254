"""Price hours: means of prices by the hour, made once for each node and hour where a price lasts less.

A node's month of five-minute prices is 8,928 rows on as many pages; its hours are 744. They say nothing that the prices do not:
of an hour that is not made, or that has had prices since, the prices are asked.
"""

import sqlalchemy as sa

from historian.tables.columns import CODE, LARGE, NUMBER, TEXT, TIME, by_time, environment, metadata, needed, told

_HOUR = "Start of the hour, UTC."
_MEAN = "Mean of the hour, each price for as long as its interval lasts; null where one of them lacks it: "

price_hour = sa.Table(
    "price_hour",
    metadata,
    needed("hour_start", TIME, _HOUR),
    needed("hour_no", CODE, "The making of the hour that it is of, by its number in the table price_hour_made."),
    needed("node_no", CODE, "The node, by its number in the table node."),
    *told(
        NUMBER,
        {
            "lmp_usd_per_mwh": f"{_MEAN}locational marginal price. USD/MWh",
            "energy_usd_per_mwh": f"{_MEAN}its energy component. USD/MWh",
            "congestion_usd_per_mwh": f"{_MEAN}its congestion component. USD/MWh",
            "loss_usd_per_mwh": f"{_MEAN}its loss component. USD/MWh",
            "ghg_usd_per_mwh": f"{_MEAN}its greenhouse gas component. USD/MWh",
        },
    ),
    needed("covered_s", NUMBER, "How much of the hour has a price, in seconds."),
    *told(TIME, {"fetched_at": "When OASIS gave the newest of its prices, UTC; null where all of them came out of files."}),
    needed("imported_s", NUMBER, "How much of covered_s has a price that came out of a file, in seconds."),
    sa.Index("price_hour_node_no_day", "node_no", sa.text("((hour_start AT TIME ZONE 'UTC')::date)")),
    by_time("hour_start"),
    postgresql_partition_by="RANGE (hour_start)",
    comment="Means of prices by the hour. They count while price_hour_made has the hour, and price_hour_due has not.",
)

price_hour_made = sa.Table(
    "price_hour_made",
    metadata,
    sa.Column("hour_no", CODE, sa.Identity(), primary_key=True, comment="Number of the making in the table price_hour."),
    environment(),
    needed("market", TEXT, "Market: HASP, RTPD or RTM; the prices of the others last an hour themselves."),
    needed("hour_start", TIME, _HOUR),
    needed("made_at", TIME, "When it was made (UTC, the database's clock).", server_default=sa.func.now()),
    sa.UniqueConstraint("hour_start", "market", "environment"),
    comment="Hours of which price_hour has the means, of all prices that there were then.",
)

# Whoever stores prices marks their hours in the same transaction, by a trigger of price_report. Whoever makes an hour takes
# marks away that it sees, and no others, in the one transaction in which it reads the prices.
price_hour_due = sa.Table(
    "price_hour_due",
    metadata,
    sa.Column("mark_no", LARGE, sa.Identity(), primary_key=True, comment="Number of the mark."),
    environment(),
    needed("market", TEXT, "The market."),
    needed("hour_start", TIME, _HOUR),
    needed("marked_at", TIME, "When the transaction began that stored them (UTC).", server_default=sa.func.now()),
    sa.Index(None, "hour_start", "market", "environment"),
    comment="Hours that have had prices since they were made, or were never made: a row for each time that some came.",
)
