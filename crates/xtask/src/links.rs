//! Links between pages lead somewhere.

use std::path::Path;

use crate::{Result, read, root};

/// The links of a page to files that are not there.
pub(crate) fn problems(page: &Path) -> Result<Vec<String>> {
    let folder = page.parent().unwrap_or(page);
    let shown = page
        .strip_prefix(root())
        .unwrap_or(page)
        .display()
        .to_string();
    Ok(targets(&read(page)?)
        .into_iter()
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{shown} links to {target}, which is not there"))
        .collect())
}

/// The files that a page links to, outside code.
fn targets(page: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        // Every second part stands between backquotes.
        for prose in line.split('`').step_by(2) {
            for link in prose.split("](").skip(1) {
                let Some((target, _)) = link.split_once(')') else {
                    continue;
                };
                let file = target.split('#').next().unwrap_or_default();
                if !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:") {
                    targets.push(file.to_owned());
                }
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn links_to_files_are_found() {
        let page = "\
[a](a.md), [b](../b.md#there) and [here](#here), [w](https://example.org/), `x[i](y.md)`
[`c`](c.md) <mailto:x@y.example>
```
[d](d.md)
```
[e](e.md)";
        assert_eq!(
            targets(page),
            ["a.md", "../b.md", "c.md", "e.md"]
                .map(str::to_owned)
                .as_slice()
        );
    }
}
