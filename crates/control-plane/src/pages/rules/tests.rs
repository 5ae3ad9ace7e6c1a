use super::ask::Ask;
use super::field::Field;
use super::pager::Pager;
use super::secret::SecretPage;
use crate::pages::form::Form;
use crate::pages::layout::Room;
use crate::pages::refused::Refused;
use crate::pages::sample::{HOSTILE, check, layout};
use novacula_protocol::people::Page;

fn hostile() -> Ask {
    let choices = || [("a".to_owned(), HOSTILE.to_owned()), (HOSTILE.to_owned(), "b".to_owned())];
    let mut layout = layout(Room::Keys);
    layout.title = HOSTILE.to_owned();
    Ask::at(layout, "/keys/new")
        .says(HOSTILE)
        .shows("It would open", vec![HOSTILE.to_owned()])
        .field(Field::line("line", HOSTILE).hint(HOSTILE).value(HOSTILE).needed())
        .field(Field::number("number", "Number").value("1"))
        .field(Field::time("time", "Time").hint(HOSTILE))
        .field(Field::reason().value(format!("</textarea>{HOSTILE}")))
        .field(Field::one_of("one", "One", choices()).value("a").hint(HOSTILE))
        .field(Field::any_of("any", "Any", choices()).values([HOSTILE.to_owned()]).hint(HOSTILE))
        .field(Field::yes("yes", HOSTILE).hint(HOSTILE).ticked(true))
        .field(Field::kept("kept", HOSTILE))
        .other_button("keep", "Keep it")
        .grave()
}

#[test]
fn a_form_escapes_everything_in_it() {
    check("ask", &hostile());
}

#[test]
fn a_secret_escapes_everything_around_it() {
    let mut layout = layout(Room::Keys);
    layout.title = HOSTILE.to_owned();
    let lines = vec![("agent.toml", HOSTILE.to_owned()), ("On the host", HOSTILE.to_owned())];
    let (secret, says) = (HOSTILE.to_owned(), vec![HOSTILE.to_owned()]);
    check("secret", &SecretPage { layout, called: "Key", secret, says, lines });
}

#[test]
fn a_pager_escapes_what_it_leads_to() {
    use askama::Template as _;
    let page = Page::<u8> { items: vec![], next_cursor: Some(HOSTILE.to_owned()) };
    let made =
        Pager::of("/activity/", &[("actor", HOSTILE)], "cursor", Some(HOSTILE), &page).render().unwrap();
    assert!(!made.contains("<script>") && made.contains("Older"), "{made}");
}

#[tokio::test]
async fn a_form_that_was_refused_stands_there_again_with_why_and_with_what_was_typed() {
    let form = Form::with(&[("line", "typed"), ("any", "a"), ("one", HOSTILE), ("kept", "forged")]);
    let answer = hostile().again(Refused::invalid("the line is wrong"), &form);
    assert_eq!(answer.status(), 400);
    use http_body_util::BodyExt as _;
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let html = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(html.contains("The line is wrong.") && html.contains("value=\"typed\""), "{html}");
    assert!(!html.contains("forged"), "what the visitor does not see is not theirs to set");
    assert!(
        html.contains("name=\"any\" value=\"a\" checked")
            && !html.contains("name=\"yes\" value=\"yes\" checked")
    );
}
