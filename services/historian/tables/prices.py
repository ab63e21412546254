"""Prices: what power was worth. A row of `price` takes 84 bytes and its index 7; who said it is told once for each report."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INT4MULTIRANGE

from historian.tables.columns import CODE, NUMBER, TEXT, TIME, by_time, environment, metadata, needed, of_event, told

price_report = sa.Table(
    "price_report",
    metadata,
    sa.Column("report_no", CODE, primary_key=True, autoincrement=False, comment="Number of the report in the table price."),
    environment(),
    needed("market", TEXT, "Market: DAM, RUC, HASP, RTPD or RTM."),
    needed("interval_start", TIME, "Start of the interval, UTC."),
    needed("interval_end", TIME, "End of the interval, UTC."),
    needed(
        "fetched_at",
        TIME,
        "When OASIS gave it: tells revisions of an interval apart, UTC. Of an imported price two days before its interval.",
    ),
    needed("first_node_no", CODE, "The first node of the report: tells the parts of one reply apart."),
    sa.Column("node_nos", INT4MULTIRANGE(), comment="Its nodes: no other of that time has any. Null if older than 0004."),
    *of_event(),
    sa.UniqueConstraint("event_id", "environment"),
    sa.UniqueConstraint("interval_start", "market", "fetched_at", "first_node_no", "environment"),
    comment="One row for each message of prices: many nodes, one interval of one market.",
)

# No constraint on rows: a report is stored once and whole, which its own keys see to, and that no two of one time have one node
# whoever writes sees to. The index finds a node's rows by their day (of UTC) and keeps those of one as a list of places,
# 7 bytes a row. With the time in place of the day it would be 31.
price = sa.Table(
    "price",
    metadata,
    needed("interval_start", TIME, "Start of the interval, UTC."),
    needed("report_no", CODE, "The report that said it, by its number in the table price_report."),
    needed("node_no", CODE, "The node, by its number in the table node."),
    *told(
        NUMBER,
        {
            "lmp_usd_per_mwh": "Locational marginal price. USD/MWh",
            "energy_usd_per_mwh": "Its energy component. USD/MWh",
            "congestion_usd_per_mwh": "Its congestion component. USD/MWh",
            "loss_usd_per_mwh": "Its loss component. USD/MWh",
            "ghg_usd_per_mwh": "Its greenhouse gas component. USD/MWh",
        },
    ),
    sa.Index("price_node_no_day", "node_no", sa.text("((interval_start AT TIME ZONE 'UTC')::date)")),
    by_time("interval_start"),
    postgresql_partition_by="RANGE (interval_start)",
    comment="Prices, every revision. price_latest shows the newest of each node and interval.",
)
