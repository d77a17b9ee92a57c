//! The wanted columns' paths as a tree.

/// A place in a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// From the row to here, joined by dots.
    pub(super) path: String,
    /// The cells filled by the value here.
    pub(super) cells: Vec<usize>,
    /// The members that lead on.
    pub(super) children: Vec<(String, Node)>,
    /// A cell at or below this place must have a value of its type.
    pub(super) strict: bool,
}

impl Node {
    /// Adds the path of a cell.
    pub(super) fn insert(&mut self, path: &[String], cell: usize, strict: bool) {
        self.strict |= strict;
        let Some((member, rest)) = path.split_first() else {
            self.cells.push(cell);
            return;
        };
        let index = self.child(member).unwrap_or_else(|| {
            let path = if self.path.is_empty() {
                member.clone()
            } else {
                format!("{}.{member}", self.path)
            };
            self.children.push((
                member.clone(),
                Self {
                    path,
                    ..Self::default()
                },
            ));
            self.children.len() - 1
        });
        self.children[index].1.insert(rest, cell, strict);
    }

    /// The index of the child that a member leads to.
    pub(super) fn child(&self, member: &str) -> Option<usize> {
        self.children.iter().position(|(name, _)| name == member)
    }
}
