//! The catalogue: releases and their artifacts, from draft to published to yanked.

use jiff::Timestamp;
use novacula_protocol::people::{Action, Artifact, Release, ReleasePatch, ReleaseStatus};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use semver::Version;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Count, Json, Time, Word};
use super::release_rows::{by_id, by_version, insert, release_of, with_artifacts};
use super::sql::{Connection, named_params, params};
use super::{Person, Sql, Store, StoreError};
use crate::particulars::{Particulars, texts};

/// A verified artifact about to enter the catalogue.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Who brings it, and into which account.
    pub by: Person,
    /// For a version seen for the first time.
    pub new_release_id: Uuid,
    /// What it is for.
    pub kind: Kind,
    /// Which version.
    pub version: Version,
    /// Where it shall be offered, if the upload says so.
    pub channel: Option<Channel>,
    /// For people, if the upload says so.
    pub notes: Option<String>,
    /// Its type and its steps, as far as the upload says them.
    pub particulars: Particulars,
    /// The bytes, by their hash.
    pub artifact: Artifact,
    /// When.
    pub now: Timestamp,
}

/// Which releases are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReleasesListed {
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only in this status.
    pub status: Option<ReleaseStatus>,
    /// Only those that are older than this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// Why the catalogue refuses a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseRefused {
    /// The account has no such release.
    #[error("there is no such release")]
    NotFound,
    /// What was published stays as it is.
    #[error("{version} is {} already and takes no more artifacts; release a new version instead", status.as_str())]
    Published {
        /// Which version.
        version: Version,
        /// Where it stands.
        status: ReleaseStatus,
    },
    /// People rely on what was published.
    #[error("{version} is {} already, its type and its steps stay as they are; release a new version instead", status.as_str())]
    Fixed {
        /// Which version.
        version: Version,
        /// Where it stands.
        status: ReleaseStatus,
    },
    /// A later artifact says something else about the release.
    #[error(
        "the {field} of {version} is `{known}`, this upload says `{said}`; leave it out, or change it with PATCH first"
    )]
    Differs {
        /// Which version.
        version: Version,
        /// What differs.
        field: &'static str,
        /// As it stands.
        known: String,
        /// By this upload.
        said: String,
    },
    /// Nobody knows later why.
    #[error("yanking {0} needs a `reason`: say in a sentence why it is taken back")]
    ReasonRequired(Version),
    /// Only forward.
    #[error("a release goes from draft to published to yanked, not from {} to {}", from.as_str(), to.as_str())]
    InvalidTransition {
        /// Where it stands.
        from: ReleaseStatus,
        /// What was asked for.
        to: ReleaseStatus,
    },
}

impl Store {
    /// Adds or replaces the artifact of one target while the release is a draft, creating the release with its first.
    ///
    /// # Errors
    /// When the store does not answer; inside, when the catalogue refuses.
    pub async fn add_artifact(&self, upload: Upload) -> Result<Result<Release, ReleaseRefused>, StoreError> {
        self.write_or_refuse(move |sql| add_artifact(sql, &upload)).await
    }

    /// Changes what stands in the patch.
    ///
    /// # Errors
    /// When the store does not answer; inside, when the catalogue refuses.
    pub async fn patch_release(
        &self,
        by: Person,
        id: Uuid,
        patch: ReleasePatch,
        now: Timestamp,
    ) -> Result<Result<Release, ReleaseRefused>, StoreError> {
        self.write_or_refuse(move |sql| patch_release(sql, &by, id, &patch, now)).await
    }

    /// One release of an account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn release(&self, account_id: Uuid, id: Uuid) -> Result<Option<Release>, StoreError> {
        self.read(move |sql| by_id(sql, account_id, id)).await
    }

    /// The release of a version, if there is one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn release_of(
        &self,
        account_id: Uuid,
        kind: Kind,
        version: Version,
    ) -> Result<Option<Release>, StoreError> {
        self.read(move |sql| by_version(sql, account_id, kind, &version)).await
    }

    /// Releases of an account, newest first; of one kind, from below `before`, at most `limit`, where given.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn releases(
        &self,
        account_id: Uuid,
        kind: Option<Kind>,
        before: Option<Uuid>,
        limit: Option<u32>,
    ) -> Result<Vec<Release>, StoreError> {
        self.releases_listed(account_id, ReleasesListed { kind, status: None, before, limit }).await
    }

    /// Releases of an account, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn releases_listed(
        &self,
        account_id: Uuid,
        listed: ReleasesListed,
    ) -> Result<Vec<Release>, StoreError> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(
                "SELECT * FROM releases WHERE account_id = :account AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind)
                   AND (CAST(:status AS TEXT) IS NULL OR status = :status)
                   AND (CAST(:before AS TEXT) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",
            )?;
            rows.query_map(
                named_params! {
                    ":account": Word(&account_id),
                    ":kind": listed.kind.as_ref().map(Word),
                    ":status": listed.status.as_ref().map(Word),
                    ":before": listed.before.as_ref().map(Word),
                    ":limit": listed.limit.map_or(i64::MAX, i64::from),
                },
                release_of,
            )?
            .map(|release| with_artifacts(sql, release?))
            .collect()
        })
        .await
    }
}

/// The rules an upload has to keep against the release it would join.
///
/// # Errors
/// `release_published` or `release_differs`.
pub fn may_join(
    known: &Release,
    channel: Option<Channel>,
    notes: Option<&str>,
    particulars: &Particulars,
) -> Result<(), ReleaseRefused> {
    let version = known.version.clone();
    if known.status != ReleaseStatus::Draft {
        return Err(ReleaseRefused::Published { version, status: known.status });
    }
    let differs = |field, known: &str, said: &str| {
        if known == said {
            return Ok(());
        }
        let (known, said) = (known.to_owned(), said.to_owned());
        Err(ReleaseRefused::Differs { version: version.clone(), field, known, said })
    };
    differs("channel", known.channel.as_str(), channel.unwrap_or(known.channel).as_str())?;
    differs("notes", &known.notes, notes.unwrap_or(&known.notes))?;
    match particulars.differs(known) {
        Some((field, known, said)) => Err(ReleaseRefused::Differs { version, field, known, said }),
        None => Ok(()),
    }
}

fn add_artifact(sql: &Connection, upload: &Upload) -> Sql<Result<Release, ReleaseRefused>> {
    let id = match by_version(sql, upload.by.account_id, upload.kind, &upload.version)? {
        Some(known) => {
            if let Err(refused) =
                may_join(&known, upload.channel, upload.notes.as_deref(), &upload.particulars)
            {
                return Ok(Err(refused));
            }
            known.id
        }
        None => {
            insert(sql, upload)?;
            upload.new_release_id.to_string()
        }
    };
    let artifact = &upload.artifact;
    sql.execute(
        "INSERT INTO artifacts (release_id, account_id, target, size, sha256, signature, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (release_id, target) DO UPDATE
           SET size = excluded.size, sha256 = excluded.sha256, signature = excluded.signature,
               created_at = excluded.created_at",
        params![
            id,
            Word(&upload.by.account_id),
            artifact.target,
            Count(artifact.size),
            artifact.sha256,
            artifact.signature,
            Time(upload.now),
        ],
    )?;
    let name = upload.version.to_string();
    let after = serde_json::json!({
        "kind": upload.kind, "target": artifact.target, "size": artifact.size, "sha256": artifact.sha256,
    });
    let deed = Deed::by(&upload.by.name, upload.by.account_id, upload.now, Action::ReleaseUploaded);
    append(sql, Deed { target: &id, name: &name, after: Some(after), ..deed })?;
    let release = by_version(sql, upload.by.account_id, upload.kind, &upload.version)?;
    Ok(release.ok_or(ReleaseRefused::NotFound))
}

fn patch_release(
    sql: &Connection,
    by: &Person,
    id: Uuid,
    patch: &ReleasePatch,
    now: Timestamp,
) -> Sql<Result<Release, ReleaseRefused>> {
    use ReleaseStatus::{Draft, Published, Yanked};
    let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(Err(ReleaseRefused::NotFound)) };
    let mut release = known.clone();
    let particulars = Particulars {
        r#type: patch.r#type.clone(),
        prerequisites: patch.prerequisites.clone(),
        postrequisites: patch.postrequisites.clone(),
    };
    if known.status != Draft && particulars.differs(&known).is_some() {
        return Ok(Err(ReleaseRefused::Fixed { version: known.version, status: known.status }));
    }
    particulars.tell(&mut release);
    if let Some(to) = patch.status {
        match (release.status, to) {
            (Draft, Published) => release.published_at = Some(now),
            (Published, Yanked) if patch.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) => {
                return Ok(Err(ReleaseRefused::ReasonRequired(release.version)));
            }
            (Published, Yanked) | (Draft, Draft) | (Published, Published) | (Yanked, Yanked) => {}
            (from, to) => return Ok(Err(ReleaseRefused::InvalidTransition { from, to })),
        }
        release.status = to;
    }
    release.channel = patch.channel.unwrap_or(release.channel);
    if let Some(notes) = &patch.notes {
        release.notes.clone_from(notes);
    }
    sql.execute(
        "UPDATE releases SET channel = ?2, status = ?3, notes = ?4, published_at = ?5, type = ?6, prerequisites = ?7,
           postrequisites = ?8
         WHERE id = ?1",
        params![
            release.id,
            Word(&release.channel),
            Word(&release.status),
            release.notes,
            release.published_at.map(Time),
            release.r#type,
            Json(&texts(release.prerequisites.as_deref())),
            Json(&texts(release.postrequisites.as_deref())),
        ],
    )?;
    note_patch(sql, by, (&known, &release), patch.reason.as_deref().unwrap_or_default(), now)?;
    Ok(Ok(release))
}

fn note_patch(
    sql: &Connection,
    by: &Person,
    (known, release): (&Release, &Release),
    reason: &str,
    now: Timestamp,
) -> Sql<()> {
    if known == release {
        return Ok(());
    }
    let action = match (known.status == release.status, release.status) {
        (true, _) | (_, ReleaseStatus::Draft) => Action::ReleaseChanged,
        (false, ReleaseStatus::Published) => Action::ReleasePublished,
        (false, ReleaseStatus::Yanked) => Action::ReleaseYanked,
    };
    let json = |release: &Release| {
        serde_json::json!({
            "kind": release.kind, "status": release.status, "channel": release.channel, "notes": release.notes,
            "type": release.r#type, "prerequisites": texts(release.prerequisites.as_deref()),
            "postrequisites": texts(release.postrequisites.as_deref()),
        })
    };
    let (name, before, after) = (release.version.to_string(), Some(json(known)), Some(json(release)));
    let deed = Deed::by(&by.name, by.account_id, now, action);
    append(sql, Deed { target: &release.id, name: &name, reason, before, after, ..deed })
}
