//! Paths into XML documents: the part of XPath that leads to elements, attributes and texts.

use std::collections::HashSet;

use roxmltree::{Attribute, Node, NodeId};

use super::call::{Complaint, quoted};

/// A path.
#[derive(Debug)]
pub(super) struct XPath(Vec<Step>);

#[derive(Debug)]
struct Step {
    /// At any depth below, not only right below.
    deep: bool,
    test: Test,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Test {
    /// An element of that name; `*` is any.
    Element(String),
    Attribute(String),
    Text,
    Itself,
}

#[derive(Debug)]
enum Condition {
    /// The place among the elements found below one element, from 1 on.
    Place(usize),
    Attribute(String, String),
}

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'d> {
    Node(Node<'d, 'd>),
    Attribute(Attribute<'d, 'd>),
}

impl Found<'_> {
    /// All text in it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Node(node) => {
                let texts = node.descendants().filter(|node| node.is_text());
                texts.filter_map(|node| node.text()).collect()
            }
            Self::Attribute(attribute) => attribute.value().to_owned(),
        }
    }
}

impl XPath {
    /// Reads a path.
    pub(super) fn read(path: &str) -> Result<Self, Complaint> {
        steps(path.trim()).map(Self).ok_or_else(|| {
            Complaint::new(format!("{} is no path that is understood", quoted(path)))
                .with_hint("such as `/a/b`, `//b`, `//*/b`, `/a/@id`, `/a/b[1]` or `/a/b[@id='7']`")
        })
    }

    /// What it leads to from a node, in the document's order.
    pub(super) fn find<'d>(&self, from: Node<'d, 'd>) -> impl Iterator<Item = Found<'d>> + use<'d> {
        let mut found = vec![Found::Node(from)];
        for step in &self.0 {
            let mut next: Vec<Found<'d>> = Vec::new();
            let mut visited = HashSet::new();
            for from in &found {
                if let Found::Node(node) = from {
                    step.follow(*node, &mut visited, &mut next);
                }
            }
            found = next;
        }
        found.into_iter()
    }
}

impl Step {
    /// Finds what is below a node; what is below one that was `visited` is found already.
    fn follow<'d>(
        &self,
        from: Node<'d, 'd>,
        visited: &mut HashSet<NodeId>,
        into: &mut Vec<Found<'d>>,
    ) {
        if self.deep && visited.contains(&from.id()) {
            return;
        }
        let from = from
            .descendants()
            .take(if self.deep { usize::MAX } else { 1 });
        for node in from {
            if visited.insert(node.id()) {
                self.below(node, into);
            }
        }
    }

    fn below<'d>(&self, from: Node<'d, 'd>, into: &mut Vec<Found<'d>>) {
        match &self.test {
            Test::Itself => into.push(Found::Node(from)),
            Test::Text => {
                into.extend(
                    from.children()
                        .filter(|node| node.is_text())
                        .map(Found::Node),
                );
            }
            Test::Attribute(name) => {
                let wanted = from
                    .attributes()
                    .filter(|it| name == "*" || it.name() == name);
                into.extend(wanted.map(Found::Attribute));
            }
            Test::Element(name) => {
                let is_meant = |node: &Node<'_, '_>| {
                    node.is_element() && (name == "*" || node.tag_name().name() == name)
                };
                let mut found: Vec<Node<'d, 'd>> = from.children().filter(is_meant).collect();
                for condition in &self.conditions {
                    match condition {
                        Condition::Place(place) => {
                            found = found.into_iter().skip(place - 1).take(1).collect();
                        }
                        Condition::Attribute(name, value) => {
                            found.retain(|node| node.attribute(name.as_str()) == Some(value));
                        }
                    }
                }
                into.extend(found.into_iter().map(Found::Node));
            }
        }
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    if path.is_empty() {
        return None;
    }
    loop {
        let deep = rest.starts_with("//");
        rest = rest.trim_start_matches('/');
        if rest.is_empty() {
            return (!deep).then_some(steps);
        }
        let end = end_of_step(rest);
        let (step, behind) = rest.split_at(end);
        steps.push(read_step(step, deep)?);
        rest = behind;
        if rest.is_empty() {
            return Some(steps);
        }
    }
}

/// Where a step ends: at a slash outside of brackets.
fn end_of_step(path: &str) -> usize {
    let mut inside = false;
    let slash = path.char_indices().find(|(_, c)| {
        inside = match c {
            '[' => true,
            ']' => false,
            _ => inside,
        };
        *c == '/' && !inside
    });
    slash.map_or(path.len(), |(place, _)| place)
}

fn read_step(step: &str, deep: bool) -> Option<Step> {
    let (name, mut rest) = step.split_at(step.find('[').unwrap_or(step.len()));
    let mut conditions = Vec::new();
    while !rest.is_empty() {
        let (inner, behind) = rest.strip_prefix('[')?.split_once(']')?;
        conditions.push(read_condition(inner.trim())?);
        rest = behind;
    }
    let name = name.trim();
    let test = match name {
        "." => Test::Itself,
        "text()" => Test::Text,
        _ => match name.strip_prefix('@') {
            Some(name) => Test::Attribute(read_name(name)?),
            None => Test::Element(read_name(name)?),
        },
    };
    Some(Step {
        deep,
        test,
        conditions,
    })
}

/// A name without the prefix of its namespace.
fn read_name(name: &str) -> Option<String> {
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (name == "*" || (!name.is_empty() && name.chars().all(is_part))).then(|| name.to_owned())
}

fn read_condition(inner: &str) -> Option<Condition> {
    if let Ok(place) = inner.parse::<usize>() {
        return (place > 0).then_some(Condition::Place(place));
    }
    let (name, value) = inner.strip_prefix('@')?.split_once('=')?;
    let value = value.trim();
    let between = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    let value = between('\'').or_else(|| between('"'))?;
    Some(Condition::Attribute(
        read_name(name.trim())?,
        value.to_owned(),
    ))
}
