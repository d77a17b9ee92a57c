//! Results that go elsewhere than to the standard output.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::interrupt::Interrupts;
use crate::shell;

/// A file or a program that takes results.
pub(crate) struct Redirect {
    name: String,
    sink: BufWriter<Box<dyn Write + Send>>,
    program: Option<(Child, Interrupts)>,
}

impl Redirect {
    /// A file, which is empty then. Links are followed, devices and pipes written to.
    pub(crate) fn to_file(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        let file = bucketline_files::create(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        Ok(Self::new(name, Box::new(file), None))
    }

    /// A program, which reads them.
    pub(crate) fn to_program(line: &str, interrupts: &Interrupts) -> io::Result<Self> {
        if line.is_empty() {
            return Err(io::Error::other("no program is named behind |"));
        }
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{line}: {error}"));
        let mut program = shell::command(line, &[])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(named)?;
        let input = program
            .stdin
            .take()
            .ok_or_else(|| named(io::Error::other("it takes no input")))?;
        let program = Some((program, interrupts.clone()));
        Ok(Self::new(format!("| {line}"), Box::new(input), program))
    }

    fn new(
        name: String,
        sink: Box<dyn Write + Send>,
        program: Option<(Child, Interrupts)>,
    ) -> Self {
        let sink = BufWriter::new(sink);
        Self {
            name,
            sink,
            program,
        }
    }

    /// What it is, for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes what is left, and waits for the program to end.
    pub(crate) fn close(self) -> io::Result<()> {
        let written = self
            .sink
            .into_inner()
            .map(drop)
            .map_err(|error| error.into_error());
        if let Some((mut program, interrupts)) = self.program {
            // Until it ends Ctrl-C is meant for it.
            let _unheard = interrupts.unheard();
            program.wait()?;
        }
        written
    }
}

impl Write for Redirect {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
