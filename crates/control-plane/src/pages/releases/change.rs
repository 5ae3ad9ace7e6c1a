//! `/releases/{id}/change`: its channel and notes; its type and steps while it is a draft.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::people::{Release, ReleasePatch, ReleaseStatus, Step};
use novacula_protocol::sync::Channel;
use uuid::Uuid;

use super::{path, place};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;

#[derive(Template)]
#[template(path = "releases/change.html")]
pub(super) struct ChangePage {
    pub layout: Layout,
    pub release: Release,
    pub typed: Typed,
    pub refused: Option<String>,
}

/// What stands in the fields.
pub(super) struct Typed {
    pub channel: String,
    pub notes: String,
    pub kind_of_upgrade: String,
    pub prerequisites: String,
    pub postrequisites: String,
    pub reason: String,
}

impl ChangePage {
    fn is_draft(&self) -> bool {
        self.release.status == ReleaseStatus::Draft
    }
}

impl Typed {
    fn of(release: &Release) -> Self {
        Self {
            channel: release.channel.to_string(),
            notes: release.notes.clone(),
            kind_of_upgrade: release.r#type.clone(),
            prerequisites: in_one(release.prerequisites.as_deref()),
            postrequisites: in_one(release.postrequisites.as_deref()),
            reason: String::new(),
        }
    }

    fn read(form: &Form) -> Self {
        // Browsers end lines with two characters.
        let text = |name: &str| form.text(name).unwrap_or_default().replace("\r\n", "\n");
        Self {
            channel: text("channel"),
            notes: text("notes"),
            kind_of_upgrade: text("type"),
            prerequisites: text("prerequisites"),
            postrequisites: text("postrequisites"),
            reason: text("reason"),
        }
    }

    /// Only what was changed: what is fixed by now is not asked for anew.
    fn patch(&self, known: &Self, is_draft: bool) -> Result<ReleasePatch, Refused> {
        let changed = |typed: &String, known: &String| (typed.trim() != known.trim()).then(|| typed.clone());
        let channel = match changed(&self.channel, &known.channel).filter(|word| !word.is_empty()) {
            Some(word) => Some(Channel::from_wire(&word).ok_or_else(|| {
                Refused::invalid(format!("the channel must be stable, beta or dev, it is `{word}`"))
            })?),
            None => None,
        };
        let draft = |typed, known| changed(typed, known).filter(|_| is_draft);
        let steps = |typed, known| draft(typed, known).map(|text| apart(&text));
        Ok(ReleasePatch {
            status: None,
            channel,
            notes: changed(&self.notes, &known.notes),
            reason: Some(self.reason.clone()).filter(|reason| !reason.is_empty()),
            r#type: draft(&self.kind_of_upgrade, &known.kind_of_upgrade),
            prerequisites: steps(&self.prerequisites, &known.prerequisites),
            postrequisites: steps(&self.postrequisites, &known.postrequisites),
        })
    }
}

/// Steps as one text, an empty line between two.
fn in_one(steps: Option<&[Step]>) -> String {
    let texts: Vec<_> = steps.unwrap_or_default().iter().map(|step| step.text.trim()).collect();
    texts.join("\n\n")
}

/// And apart again.
fn apart(text: &str) -> Vec<String> {
    text.split("\n\n").map(|step| step.trim().to_owned()).filter(|step| !step.is_empty()).collect()
}

pub(super) async fn ask(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Refused> {
    let release: Release = visitor.get(&path(id)).await?;
    let typed = Typed::of(&release);
    page(&visitor, release, typed, None).await.map(|page| render(&page))
}

pub(super) async fn act(visitor: Visitor, Path(id): Path<Uuid>, form: Form) -> Result<Response, Refused> {
    let release: Release = visitor.get(&path(id)).await?;
    let typed = Typed::read(&form);
    let is_draft = release.status == ReleaseStatus::Draft;
    let done = match typed.patch(&Typed::of(&release), is_draft) {
        Ok(patch) => visitor.act(&form, Method::PATCH, &path(id), &patch).await,
        Err(refused) => Err(refused),
    };
    let Err(refused) = done else { return Ok(to(&place(&release))) };
    let page = page(&visitor, release, typed, Some(refused.sentence())).await?;
    Ok((refused.status, render(&page)).into_response())
}

async fn page(
    visitor: &Visitor,
    release: Release,
    typed: Typed,
    refused: Option<String>,
) -> Result<ChangePage, Refused> {
    let layout = visitor.layout(format!("Change {}", release.version), Room::Releases).await?;
    Ok(ChangePage { layout, release, typed, refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_written_as_paragraphs_and_read_as_such() {
        let steps = ["Take a backup\nof all", "Tell them"];
        let known: Vec<_> =
            (1..).zip(steps).map(|(number, text)| Step { number, text: text.to_owned() }).collect();
        let text = in_one(Some(&known));
        assert_eq!(text, "Take a backup\nof all\n\nTell them");
        assert_eq!(apart(&text), steps);
        assert_eq!(apart("\n\n a \n\n\n\nb\n"), ["a", "b"]);
        assert_eq!(apart(""), Vec::<String>::new());
    }
}
