"""Keys of the API: who may ask. The key itself is kept nowhere: it is shown once, when it is made."""

import sqlalchemy as sa

from historian.tables.columns import LARGE, TEXT, TIME, metadata, needed, told

# No role but the owner may read it. The API asks the function api_key_of, which tells of a hash whose it is, and lists nothing.
api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("key_no", LARGE, sa.Identity(), primary_key=True, comment="Number of the key."),
    needed("name", TEXT, "Whose it is; of the keys that are not revoked no two have one name."),
    needed("key_hash", sa.LargeBinary(), "SHA-256 of the key, which is 256 random bits."),
    *told(TEXT, {"plant": "The only plant that it may see; null where it may see all."}),
    needed("made_at", TIME, "When it was made (UTC, the database's clock).", server_default=sa.func.now()),
    *told(TIME, {"revoked_at": "Since when it is not taken any more (UTC, the database's clock)."}),
    sa.UniqueConstraint("key_hash"),
    sa.Index("api_key_name", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")),
    comment="Keys of the API. Only the owner of the tables may read it.",
)
