//! Lying bars, each a whole in its parts.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;

use super::Unit;
use super::share::{WHOLE, lengths, percent};
use crate::pages::words;

/// Bars under each other, which share a legend.
#[derive(Clone, Debug, Template)]
#[template(path = "picture/bars.html")]
pub(crate) struct Bars {
    /// Unique on the page.
    id: String,
    title: String,
    unit: Unit,
    bars: Vec<Bar>,
}

/// Its template escapes what it shows.
impl HtmlSafe for Bars {}

/// One whole.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub label: String,
    /// Where its label leads.
    pub href: Option<String>,
    pub parts: Vec<Part>,
}

/// A part of a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub name: String,
    /// One of `c1`…`c8` ([`super::colour`]) or `fill-…`.
    pub class: &'static str,
    pub value: u64,
    /// Where its entry in the legend leads.
    pub href: Option<String>,
}

impl Part {
    pub(crate) fn new(name: impl Into<String>, class: &'static str, value: u64) -> Self {
        Self { name: name.into(), class, value, href: None }
    }

    pub(crate) fn leading_to(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }
}

impl Bar {
    pub(crate) fn new(label: impl Into<String>, parts: Vec<Part>) -> Self {
        Self { label: label.into(), href: None, parts }
    }

    pub(crate) fn leading_to(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.value).fold(0, u64::saturating_add)
    }

    fn drawn(&self) -> Vec<Drawn<'_>> {
        let numbers: Vec<u64> = self.parts.iter().map(|part| part.value).collect();
        let mut x = 0;
        let drawn = self.parts.iter().zip(lengths(&numbers, WHOLE)).filter_map(|(part, width)| {
            let at = x;
            x += width;
            (width > 0).then_some(Drawn { part, x: at, width })
        });
        drawn.collect()
    }
}

/// A part with its room.
struct Drawn<'a> {
    part: &'a Part,
    x: u64,
    width: u64,
}

impl Bars {
    /// `id` is unique on the page and plain: letters, digits and dashes.
    pub(crate) fn new(id: impl Into<String>, title: impl Into<String>, unit: Unit) -> Self {
        Self { id: id.into(), title: title.into(), unit, bars: Vec::new() }
    }

    pub(crate) fn bar(mut self, bar: Bar) -> Self {
        self.bars.push(bar);
        self
    }

    /// What is to be seen in a bar, in words.
    fn seen(&self, bar: &Bar) -> String {
        let total = bar.total();
        let parts: Vec<String> = bar
            .parts
            .iter()
            .filter(|part| part.value > 0)
            .map(|part| {
                format!("{}: {}, {}", part.name, words::count(&part.value), percent(part.value, total))
            })
            .collect();
        if parts.is_empty() {
            return format!("No {}.", self.unit.1);
        }
        format!("{}. {}.", self.unit.of(total), parts.join("; "))
    }

    /// What hovers over a part.
    fn hover(&self, bar: &Bar, part: &Part) -> String {
        format!("{}: {} of {}", part.name, words::count(&part.value), self.unit.of(bar.total()))
    }

    /// Each name once, in the order they first stand in, with what the bars have of it together.
    fn legend(&self) -> Vec<Part> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut legend: Vec<Part> = Vec::new();
        for part in self.bars.iter().flat_map(|bar| &bar.parts).filter(|part| part.value > 0) {
            match places.get(part.name.as_str()) {
                Some(place) => legend[*place].value = legend[*place].value.saturating_add(part.value),
                None => {
                    places.insert(&part.name, legend.len());
                    legend.push(part.clone());
                }
            }
        }
        legend
    }

    fn share(&self, bar: &Bar, part: &Part) -> String {
        percent(part.value, bar.total())
    }
}

/// At most so many parts: the largest keep their places, and the rest are one, for which the legend says how many.
pub(crate) fn folded(parts: Vec<Part>, most: usize) -> Vec<Part> {
    let parts: Vec<Part> = parts.into_iter().filter(|part| part.value > 0).collect();
    if parts.len() <= most {
        return parts;
    }
    let mut by_size: Vec<usize> = (0..parts.len()).collect();
    // The earlier of two equal ones stays.
    by_size.sort_by_key(|place| std::cmp::Reverse(parts[*place].value));
    by_size.truncate(most.saturating_sub(1));
    let (mut kept, mut others, mut rest) = (Vec::new(), 0_u64, 0_u64);
    for (place, part) in parts.into_iter().enumerate() {
        if by_size.contains(&place) {
            kept.push(part);
        } else {
            others += 1;
            rest = rest.saturating_add(part.value);
        }
    }
    kept.push(Part::new(format!("{} others", words::count(&others)), "fill-none", rest));
    kept
}
