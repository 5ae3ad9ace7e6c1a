//! Somebody comes into the account.

use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Role, UserRequest, UserWithPassword};

use super::{HERE, roles};
use crate::pages::form::Form;
use crate::pages::layout::Room;
use crate::pages::refused::Refused;
use crate::pages::rules::ask::Ask;
use crate::pages::rules::field::Field;
use crate::pages::rules::secret::SecretPage;
use crate::pages::visitor::{Visitor, to};
use crate::right::Right;

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    let ask = Ask::new(visitor, Right::Administer, Room::People, "Add somebody", "/people/new").await?;
    let name =
        Field::line("name", "Login name").hint("Letters, digits, “.”, “_”, “-” and “@”, such as an address.");
    let password = Field::yes("password", "Make up a one-time password").ticked(true);
    let password = password.hint("It is shown once, and they must change it at the first sign-in.");
    let subject = Field::line("subject", "Subject at the OpenID provider");
    let subject = subject
        .hint("Only where they sign in with your organisation under another name than the login name.");
    Ok(ask
        .field(name.needed())
        .field(Field::one_of("role", "Role", roles()))
        .field(publisher(false))
        .field(password)
        .field(subject))
}

pub(super) fn publisher(is_one: bool) -> Field {
    let hint = "They may publish and yank releases, whatever the role. Only an owner gives this.";
    Field::yes("publisher", "Release manager").ticked(is_one).hint(hint)
}

pub(super) fn role(form: &Form) -> Result<Role, Refused> {
    let word = form.text("role").unwrap_or_default();
    Role::from_wire(word).ok_or_else(|| Refused::invalid("the role must be chosen"))
}

pub(super) async fn ask(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_new(&visitor).await?.show())
}

pub(super) async fn add(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let ask = form_of_new(&visitor).await?;
    let done = added(&visitor, &ask, &form).await;
    Ok(ask.or_again(done, &form))
}

async fn added(visitor: &Visitor, ask: &Ask, form: &Form) -> Result<Response, Refused> {
    let asked = UserRequest {
        name: form.owned("name").unwrap_or_default(),
        role: role(form)?,
        is_release_manager: form.is_ticked("publisher"),
        one_time_password: form.is_ticked("password"),
        oidc_subject: form.owned("subject"),
    };
    let made: UserWithPassword = visitor.change(form, Method::POST, "/users", &asked).await?;
    Ok(shown(ask, made))
}

/// With the one-time password, if there is one.
pub(super) fn shown(ask: &Ask, made: UserWithPassword) -> Response {
    let Some(secret) = made.one_time_password else { return to(HERE) };
    let name = made.user.name;
    let says = vec![format!(
        "Tell {name} this password on a way that nobody else reads. It opens one door only: they sign in with it and must \
         choose another."
    )];
    let layout = SecretPage::frame(ask, format!("A password for {name}"));
    SecretPage { layout, called: "One-time password", secret, says, lines: Vec::new() }.show()
}
