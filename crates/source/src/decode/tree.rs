//! The wanted columns' paths as a tree.

/// A place in a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// From the row to here, joined by dots.
    pub(super) path: String,
    /// The cells that the value here may fill.
    pub(super) cells: Vec<Target>,
    /// The members that lead on.
    pub(super) children: Vec<(String, Node)>,
    /// A cell at or below this place must have a value of its type.
    pub(super) strict: bool,
}

/// A cell that a place may fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// Index of the cell.
    pub(super) cell: usize,
    /// Which of the cell's places this is; the lowest that has a value fills it.
    pub(super) rank: usize,
}

impl Node {
    /// Adds a path of a cell.
    pub(super) fn insert(&mut self, path: &[String], target: Target, strict: bool) {
        self.strict |= strict;
        let Some((member, rest)) = path.split_first() else {
            self.cells.push(target);
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
        self.children[index].1.insert(rest, target, strict);
    }

    /// The index of the child that a member leads to.
    pub(super) fn child(&self, member: &str) -> Option<usize> {
        self.children.iter().position(|(name, _)| name == member)
    }
}
