//! Releases and their artifacts as rows.

use novacula_protocol::people::{Artifact, Release};
use novacula_protocol::spec::Kind;
use semver::Version;
use uuid::Uuid;

use super::Sql;
use super::column::{Count, Json, Time, Word};
use super::releases::Upload;
use super::sql::{Connection, OptionalExtension, Row, params};
use crate::particulars::numbered;

/// A release with its first artifact still to come.
pub(super) fn insert(sql: &Connection, upload: &Upload) -> Sql<()> {
    let said = &upload.particulars;
    sql.execute(
        "INSERT INTO releases (id, account_id, kind, version, channel, status, notes, created_at, type, prerequisites,
           postrequisites)
         VALUES (?1, ?2, ?3, ?4, ?5, 'draft', ?6, ?7, ?8, ?9, ?10)",
        params![
            Word(&upload.new_release_id),
            Word(&upload.by.account_id),
            Word(&upload.kind),
            Word(&upload.version),
            Word(&upload.channel.unwrap_or_default()),
            upload.notes.as_deref().unwrap_or_default(),
            Time(upload.now),
            said.r#type.as_deref().unwrap_or(upload.kind.as_str()),
            Json(&said.prerequisites.as_deref().unwrap_or_default()),
            Json(&said.postrequisites.as_deref().unwrap_or_default()),
        ],
    )?;
    Ok(())
}

/// One release of an account.
pub(super) fn by_id(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Release>> {
    sql.prepare_cached("SELECT * FROM releases WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&id), Word(&account_id)], release_of)
        .optional()?
        .map(|release| with_artifacts(sql, release))
        .transpose()
}

/// Every release of a kind.
pub(super) fn of_kind(sql: &Connection, account_id: Uuid, kind: Kind) -> Sql<Vec<Release>> {
    sql.prepare_cached("SELECT * FROM releases WHERE account_id = ?1 AND kind = ?2")?
        .query_map(params![Word(&account_id), Word(&kind)], release_of)?
        .map(|release| with_artifacts(sql, release?))
        .collect()
}

/// The release of a version, if there is one.
pub(super) fn by_version(
    sql: &Connection,
    account_id: Uuid,
    kind: Kind,
    version: &Version,
) -> Sql<Option<Release>> {
    sql.prepare_cached("SELECT * FROM releases WHERE account_id = ?1 AND kind = ?2 AND version = ?3")?
        .query_row(params![Word(&account_id), Word(&kind), Word(version)], release_of)
        .optional()?
        .map(|release| with_artifacts(sql, release))
        .transpose()
}

/// Reads them along.
pub(super) fn with_artifacts(sql: &Connection, mut release: Release) -> Sql<Release> {
    release.artifacts = sql
        .prepare_cached(
            "SELECT target, size, sha256, signature FROM artifacts WHERE release_id = ?1 ORDER BY target",
        )?
        .query_map(params![release.id], |row| {
            Ok(Artifact {
                target: row.get(0)?,
                size: row.get::<_, Count>(1)?.0,
                sha256: row.get(2)?,
                signature: row.get(3)?,
            })
        })?
        .collect::<Sql<_>>()?;
    Ok(release)
}

/// Without its artifacts.
pub(super) fn release_of(row: &Row<'_>) -> Sql<Release> {
    Ok(Release {
        id: row.get("id")?,
        kind: row.get::<_, Word<_>>("kind")?.0,
        version: row.get::<_, Word<_>>("version")?.0,
        channel: row.get::<_, Word<_>>("channel")?.0,
        status: row.get::<_, Word<_>>("status")?.0,
        notes: row.get("notes")?,
        r#type: row.get("type")?,
        prerequisites: Some(numbered(row.get::<_, Json<_>>("prerequisites")?.0)),
        postrequisites: Some(numbered(row.get::<_, Json<_>>("postrequisites")?.0)),
        artifacts: Vec::new(),
        created_at: row.get::<_, Time>("created_at")?.0,
        published_at: row.get::<_, Option<Time>>("published_at")?.map(|Time(at)| at),
    })
}
