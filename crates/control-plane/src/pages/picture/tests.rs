use askama::Template;
use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use super::*;
use crate::pages::sample::{HOSTILE, check};

const EXECUTORS: Unit = Unit("executor", "executors");
const UPGRADES: Unit = Unit("upgrade", "upgrades");

#[derive(Template)]
#[template(
    source = "<!doctype html><html lang=\"en\"><head><title>x</title></head><body><h1>x</h1>{{ bars }}{{ days }}</body></html>",
    ext = "html"
)]
struct Shown {
    bars: Bars,
    days: Timeline,
}

fn days(count: i32) -> Vec<Date> {
    (0..count).map(|day| date(2026, 10, 23).checked_add(day.days()).unwrap()).collect()
}

fn month(values: Vec<u64>) -> Timeline {
    let days = days(i32::try_from(values.len()).unwrap());
    Timeline::new("month", "Upgrades that ended", UPGRADES, days).stacked(Series {
        name: "completed",
        class: "fill-good",
        values,
    })
}

#[test]
fn pictures_escape_what_people_write_and_are_well_formed() {
    let parts =
        vec![Part::new(HOSTILE, "c1", 3).leading_to("/executors/?version=1.0.0"), Part::new("b", "c2", 0)];
    let bars = Bars::new("one", HOSTILE, EXECUTORS)
        .bar(Bar::new(HOSTILE, parts.clone()).leading_to("/plans/1"))
        .bar(Bar::new("empty", Vec::new()))
        .bar(Bar::new("again", parts));
    let failed = Series { name: "failed", class: "fill-bad", values: vec![1, 0, 2] };
    let requested = Series { name: "requested", class: "fill-none", values: vec![9, 9, 9] };
    let days = month(vec![2, 0, 7]).stacked(failed).beside(requested);
    let page = Shown { bars, days };
    let html = check("pictures", &page);
    for picture in html.select(&scraper::Selector::parse("svg[role=img]").unwrap()) {
        for id in picture.value().attr("aria-labelledby").unwrap().split(' ') {
            let named = html.select(&scraper::Selector::parse(&format!("[id={id}]")).unwrap()).next();
            assert!(!named.expect(id).inner_html().is_empty(), "{id} says what is to be seen");
        }
        assert!(picture.value().attr("viewBox").is_some());
    }
}

#[test]
fn a_bar_says_in_words_what_it_shows() {
    let parts = vec![Part::new("1.4.0", "c1", 30), Part::new("1.3.0", "c2", 10), Part::new("1.2.0", "c3", 0)];
    let text = Bars::new("v", "Versions", EXECUTORS).bar(Bar::new("agent, stable", parts)).render().unwrap();
    assert!(text.contains("40 executors. 1.4.0: 30, 75 %; 1.3.0: 10, 25 %."), "{text}");
    assert!(text.contains("<title>1.3.0: 10 of 40 executors</title>"), "{text}");
    assert!(text.contains("1.2.0</th><td class=\"number\">0</td>"), "none is a number too: {text}");
    assert_eq!(text.matches("<li>").count(), 2, "the legend leaves out what is not drawn: {text}");
    let nobody = Bars::new("v", "Versions", EXECUTORS).bar(Bar::new("agent", Vec::new())).render().unwrap();
    assert!(nobody.contains("No executors.") && !nobody.contains("<details"), "{nobody}");
}

#[test]
fn the_legend_of_several_bars_names_each_part_once_and_adds_it_up() {
    let bar = |label: &str, done| {
        Bar::new(label, vec![Part::new("done", "fill-good", done), Part::new("to come", "fill-none", 4)])
    };
    let text = Bars::new("w", "Waves", EXECUTORS).bar(bar("a", 3)).bar(bar("b", 5)).render().unwrap();
    assert!(
        text.contains("done <strong>8</strong>") && text.contains("to come <strong>8</strong>"),
        "{text}"
    );
    assert_eq!(text.matches("<li>").count(), 2, "{text}");
}

#[test]
fn very_many_parts_fold_into_others_and_the_largest_keep_their_places() {
    let parts: Vec<Part> = (0..40).map(|n| Part::new(format!("v{n}"), colour(n), (n as u64) % 10)).collect();
    let total: u64 = parts.iter().map(|part| part.value).sum();
    let kept = folded(parts, 5);
    let names: Vec<&str> = kept.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["v9", "v19", "v29", "v39", "32 others"]);
    assert_eq!(kept.iter().map(|part| part.value).sum::<u64>(), total);
    let few = vec![Part::new("a", "c1", 1), Part::new("b", "c2", 0), Part::new("c", "c3", 2)];
    assert_eq!(folded(few, 2).len(), 2, "what is none needs no place");
    assert_eq!(folded(Vec::new(), 5), []);
}

#[test]
fn days_under_the_columns_do_not_collide() {
    for count in [1, 2, 3, 5, 7, 14, 30, 90] {
        let text = month(vec![1; count]).render().unwrap();
        let scale = scraper::Html::parse_fragment(&text);
        let labels = scraper::Selector::parse("svg.scale text").unwrap();
        // Six letters of at most 7 px, on the narrowest screen.
        let (width, letters) = (300.0, 42.0);
        let mut free_from = -1.0;
        for label in scale.select(&labels) {
            let at: f64 = label.value().attr("x").unwrap().trim_end_matches('%').parse().unwrap();
            let begins = width * at / 100.0
                - letters
                    * match label.value().attr("text-anchor").unwrap() {
                        "start" => 0.0,
                        "middle" => 0.5,
                        _ => 1.0,
                    };
            assert!(begins > free_from, "{count} days: {text}");
            free_from = begins + letters;
        }
        assert!(free_from <= width + 0.1, "{count} days: the last stays inside");
    }
}

#[test]
fn a_column_never_leaves_its_picture_and_a_single_upgrade_is_seen_beside_thousands() {
    let few = Series { name: "failed", class: "fill-bad", values: vec![1, 0, 1] };
    let text = month(vec![100_000, 0, 0]).stacked(few).render().unwrap();
    let drawn = scraper::Html::parse_fragment(&text);
    let rects = scraper::Selector::parse("svg.columns rect").unwrap();
    let number =
        |rect: &scraper::ElementRef<'_>, name| rect.value().attr(name).unwrap().parse::<u64>().unwrap();
    let boxes: Vec<(u64, u64, u64)> =
        drawn.select(&rects).map(|it| (number(&it, "x"), number(&it, "y"), number(&it, "height"))).collect();
    assert_eq!(boxes.len(), 3, "a day with nothing has no column: {boxes:?}");
    for (x, y, height) in &boxes {
        assert!(y + height <= 1_000 && *height >= 12 && x % 10 == 1, "{boxes:?}");
    }
    assert_eq!(boxes[0].1, boxes[1].1 + boxes[1].2, "stacked without a gap: {boxes:?}");
}

#[test]
fn a_timeline_says_in_words_what_it_shows() {
    let seen = month(vec![1, 12, 3]).render().unwrap();
    assert!(
        seen.contains(
            "23 Oct 2026 to 25 Oct 2026. completed: 16. The busiest day was 24 Oct 2026, with 12 upgrades."
        ),
        "{seen}"
    );
    assert!(seen.contains("20 a day"), "{seen}");
    let quiet = month(vec![0; 30]).render().unwrap();
    assert!(
        quiet.contains("23 Oct 2026 to 21 Nov 2026: no upgrades.") && !quiet.contains("<details"),
        "{quiet}"
    );
    assert!(month(Vec::new()).render().unwrap().contains("No days."));
}

#[test]
fn colours_do_not_run_out() {
    assert_eq!([0, 1, 7, 8, 500].map(colour), ["c1", "c2", "c8", "c8", "c8"]);
}
