"""The inventory's tables. (Migrations: `migrations/versions`.)

Package sets are stored once. An image's packages fall into buckets, by whether they came with the base, by whose they
are and by a hash of their names; a bucket with the same content is the same row for each image that has it. So images
of one base share what they have of it, and one package more makes one small bucket new, not a list of five hundred.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
METADATA = MetaData()

policy = Table(
    "policy", METADATA, Column("hash", String(64), primary_key=True), Column("document", Text, nullable=False)
)

promotion = Table(
    "promotion",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("repository", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("promoted_at", Float, nullable=False),
    Column("retired_at", Float),
    Column("untagged_at", Float),
    Column("team", Text, nullable=False),
    Column("base_digest", Text, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("facts", Text, nullable=False),
    UniqueConstraint("repository", "digest"),
    Index("promotion_by_base", "base_digest"),
    Index("promotion_by_digest", "digest"),
)
"""facts: what is only told, as JSON. retired_at: when it left. untagged_at: when it lost its last tag to another."""

tag = Table(
    "tag",
    METADATA,
    Column("repository", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("promotion", _NUMBER, ForeignKey("promotion.id"), nullable=False),
    Column("since", Float, nullable=False),
    Index("tag_by_promotion", "promotion"),
)

variant = Table(
    "variant",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("promotion", _NUMBER, ForeignKey("promotion.id"), nullable=False),
    Column("platform", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("distro", Text, nullable=False),
    UniqueConstraint("promotion", "digest"),
    Index("variant_by_digest", "digest"),
)

bucket = Table(
    "bucket",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
)

variant_bucket = Table(
    "variant_bucket",
    METADATA,
    Column("bucket", _NUMBER, ForeignKey("bucket.id"), primary_key=True),
    Column("variant", _NUMBER, ForeignKey("variant.id"), primary_key=True),
    Column("inherited", Boolean, primary_key=True),
    Index("variant_bucket_by_variant", "variant"),
    sqlite_with_rowid=False,
)

state = Table(
    "state",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("lineage", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    UniqueConstraint("lineage", "number"),
)
"""A state of an advisory database; an empty lineage: none was asked."""

component = Table(
    "component",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("slot", Integer, nullable=False),
    Column("state", _NUMBER, ForeignKey("state.id")),
    Column("release", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_version", Text, nullable=False),
    Column("purl", Text, nullable=False),
    Index("component_by_name", "name"),
    Index("component_by_state", "state"),
)
"""state: of the advisories that its findings are of, None where that is its slot's."""

bucket_component = Table(
    "bucket_component",
    METADATA,
    Column("component", _NUMBER, ForeignKey("component.id"), primary_key=True),
    Column("bucket", _NUMBER, ForeignKey("bucket.id"), primary_key=True),
    Index("bucket_component_by_bucket", "bucket"),
    sqlite_with_rowid=False,
)

file = Table(
    "file",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("path", Text, nullable=False),
    Index("file_by_digest", "sha256"),
)
"""Files that are asked for by their digest: `files.notable` says which."""

bucket_file = Table(
    "bucket_file",
    METADATA,
    Column("file", _NUMBER, ForeignKey("file.id"), primary_key=True),
    Column("bucket", _NUMBER, ForeignKey("bucket.id"), primary_key=True),
    Index("bucket_file_by_bucket", "bucket"),
    sqlite_with_rowid=False,
)
"""A bucket has packages or files, never both."""

subject = Table(
    "subject",
    METADATA,
    Column("ecosystem", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("component", _NUMBER, ForeignKey("component.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Index("subject_by_component", "component"),
    sqlite_with_rowid=False,
)
"""What advisories can be about a component: the questions to ask of it, in order."""

finding = Table(
    "finding",
    METADATA,
    Column("vulnerability", Text, primary_key=True),
    Column("component", _NUMBER, ForeignKey("component.id"), primary_key=True),
    Column("severity", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("exploited", Boolean, nullable=False),
    Column("since", Float, nullable=False),
    Column("facts", Text, nullable=False),
    Index("finding_by_component", "component"),
)
"""What the advisories say of components, by the state of their slot. since: when it was first seen."""

slot = Table(
    "slot",
    METADATA,
    Column("slot", Integer, primary_key=True),
    Column("lineage", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
)
"""Of each slot the state of the advisory database that its findings are of."""

asked = Table(
    "asked",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("at", Float, nullable=False),
    Column("heard", Float, nullable=False),
    sqlite_with_rowid=False,
)
"""When an Anchore server was last asked about an image, and until when its events were heeded. server: its lineage."""

delta = Table(
    "delta",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("at", Float, nullable=False),
    Column("component", _NUMBER, ForeignKey("component.id"), nullable=False),
    Column("promotion", _NUMBER),
    Column("vulnerability", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("found", Text),
    Column("reported_at", Float),
    Column("batch", _NUMBER, ForeignKey("batch.id")),
    Index("delta_by_at", "at"),
    Index("delta_by_report", "reported_at"),
    Index("delta_by_batch", "batch"),
    Index("delta_by_promotion", "promotion"),
    Index("delta_by_component", "component", "vulnerability"),
)
"""promotion: of whose image alone it is news, None: of all that have the component. found: all that the advisories say
of it. reported_at: when a report told of it. batch: whose notices tell of it, None until they are written."""

batch = Table("batch", METADATA, Column("id", _NUMBER, primary_key=True), Column("at", Float, nullable=False))
"""What was taken together to be told by notices."""

notice = Table(
    "notice",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("batch", _NUMBER, ForeignKey("batch.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("team", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_at", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Index("notice_by_state", "state"),
)
"""The outbox. key: goes with every sending of it, so that who gets it twice can tell. state: pending, sending, sent or
failed, since state_at."""
