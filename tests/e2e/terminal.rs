//! The interactive session on a terminal.

use std::process::Stdio;

use bucketline_sandbox::{Fault, FaultKind};
use rexpect::session::{PtySession, spawn_command};

use crate::commands::{Run, start};
use crate::world::{World, small};

/// After so many milliseconds a test hangs. Machines that do much else answer late.
pub(crate) const PATIENCE: u64 = 300_000;

/// What the line editor sends to the terminal when it begins to read.
pub(crate) const READY: &str = "\x1b[?2004h";

const FEW: &str = "
[connections.few]
BaseURL = \"BASE\"
Workspace = \"globex\"
User = \"user1@globex.example\"
Token = \"env:OTHER_TOKEN\"
RequestsPerHour = 100
";

/// A session at its first prompt, which prints large results.
fn session(world: &World) -> PtySession {
    session_with_pager(world, "")
}

fn session_with_pager(world: &World, pager: &str) -> PtySession {
    session_with(world, &[("BUCKETLINE_PAGER", pager)])
}

fn session_with(world: &World, variables: &[(&str, &str)]) -> PtySession {
    let more = FEW.replace("BASE", &world.sandbox.base_url());
    let mut command = Run::new(world, &[]).configured(&more).command();
    command
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .env("BUCKETLINE_PAGER", "")
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(variables.iter().copied())
        .stdin(Stdio::inherit());
    let mut session = spawn_command(command, Some(PATIENCE)).unwrap();
    session
        .exp_string("Statements end with a semicolon")
        .unwrap();
    session.exp_string(READY).unwrap();
    session
}

/// Types a line, waits for what it must bring, and for the next prompt.
fn typed(session: &mut PtySession, line: &str, expected: &str) {
    session.send_line(line).unwrap();
    session.exp_string(expected).unwrap();
    session.exp_string(READY).unwrap();
}

#[test]
fn statements_and_completion() {
    let world = start(small());
    let mut session = session(&world);
    // A statement goes on until its semicolon.
    session.send_line("SELECT 17 AS Number,").unwrap();
    session.send_line("NULL AS Nothing").unwrap();
    typed(&mut session, ";", "     17 | NULL");
    // Tab completes names of tables; no service is asked for them.
    world.sandbox.reset_requests();
    session.send("REPLICATE ProjectDef\t").unwrap();
    session.flush().unwrap();
    session.exp_string("ProjectDefaultReviewers").unwrap();
    assert!(world.sandbox.requests().is_empty());
    session.send_control('c').unwrap();
    session.exp_string(READY).unwrap();
    typed(
        &mut session,
        "REPLICATE Projects;",
        "Projects: 3 read, 3 inserted",
    );
    // What requests left of the budget is told.
    typed(
        &mut session,
        "SELECT Key FROM few.Projects LIMIT 1;",
        "few: 89 of 90 requests left",
    );
    typed(&mut session, "USE acme;", "using acme");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn short_commands() {
    let world = start(small());
    let mut session = session(&world);
    typed(&mut session, "\\?", "leave, as Ctrl-D does");
    typed(&mut session, "\\d few.Projects", "UUID in braces");
    typed(&mut session, "\\l", "SQLite copy.db");
    typed(&mut session, "\\x", "printed as vertical");
    typed(&mut session, "SELECT 17 AS Number;", " Number | 17");
    typed(&mut session, "\\x auto", "printed as table");
    typed(&mut session, "\\o markdown", "printed as markdown");
    typed(&mut session, "SELECT 17 AS Number;", "| 17 |");
    typed(&mut session, "\\timing", "timing is off");
    typed(&mut session, "\\nothing", "is no command");
    typed(&mut session, "\\i missing.sql", "BL8101");
    std::fs::write(
        world.folder().join("a.sql"),
        "SELECT 'from a file' AS Text;",
    )
    .unwrap();
    typed(&mut session, "\\i a.sql", "| from a file |");
    session.send_line("\\q").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn an_interrupt_ends_the_statement_and_not_the_session() {
    let world = start(small());
    world.sandbox.fault(Fault::always(
        "/2.0/workspaces/acme/projects",
        FaultKind::Hang,
    ));
    let mut session = session(&world);
    session.send_line("SELECT * FROM Projects;").unwrap();
    while world.sandbox.requests().is_empty() {
        std::thread::yield_now();
    }
    session.send_control('c').unwrap();
    session
        .exp_string("interrupted; what was committed stays")
        .unwrap();
    session.exp_string(READY).unwrap();
    typed(&mut session, "SELECT 17 AS Number;", "     17");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn an_interrupt_ends_a_join_of_all_rows_with_all_rows() {
    let world = start(small());
    let mut session = session(&world);
    let rows = "generate_series(1, 1000000)";
    session
        .send_line(&format!(
            "SELECT COUNT(*) FROM Projects p, {rows} a, {rows} b WHERE a.value * b.value < LEN(p.Name) - 1000;"
        ))
        .unwrap();
    // The join begins with what this asks for, and would take hours.
    while world.sandbox.requests().is_empty() {
        std::thread::yield_now();
    }
    session.send_control('c').unwrap();
    session
        .exp_string("interrupted; what was committed stays")
        .unwrap();
    session.exp_string(READY).unwrap();
    typed(&mut session, "SELECT 17 AS Number;", "     17");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn rows_are_copied_from_and_into_files() {
    let world = start(small());
    std::fs::write(
        world.folder().join("my teams.csv"),
        "Id;Name\n1;Core\n2;Front\n",
    )
    .unwrap();
    let mut session = session(&world);
    typed(
        &mut session,
        "CREATE TABLE teams (Id int PRIMARY KEY, Name varchar(20));",
        "was made",
    );
    typed(
        &mut session,
        "\\copy teams from 'my teams.csv' delimiter ';'",
        "2 rows appended to teams",
    );
    typed(
        &mut session,
        "\\copy (SELECT Name FROM teams ORDER BY Id DESC) to names.csv",
        "names.csv",
    );
    typed(&mut session, "\\copy teams", "is written");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
    let written = std::fs::read_to_string(world.folder().join("names.csv")).unwrap();
    assert_eq!(written, "Name\r\nFront\r\nCore\r\n");
}

#[test]
fn the_history_has_no_secret() {
    let world = start(small());
    let mut first = session(&world);
    let create = "CREATE CONNECTION more WITH (Workspace = 'acme', Token = 'planted-4f1c');";
    first.send_line(create).unwrap();
    first.exp_string(READY).unwrap();
    typed(&mut first, "SELECT 17 AS Number;", "     17");
    first.send_control('d').unwrap();
    first.exp_eof().unwrap();
    let history = std::fs::read_to_string(world.folder().join("state/history")).unwrap();
    assert!(
        history.contains("Token = '***'") && history.contains("SELECT 17"),
        "{history}"
    );
    assert!(!history.contains("planted"), "{history}");
    // The next session goes on with it.
    let mut next = session(&world);
    next.send("\x1b[A").unwrap();
    next.flush().unwrap();
    next.exp_string("SELECT 17 AS Number;").unwrap();
    next.send_control('c').unwrap();
    next.exp_string(READY).unwrap();
    next.send_control('d').unwrap();
    next.exp_eof().unwrap();
}

/// Rows of a statement whose result is taller than any terminal of a test.
const TALL: &str = "SELECT Id FROM few.Issues a CROSS JOIN (SELECT Key FROM few.Projects) b;";

#[test]
fn large_results_are_shown_by_a_pager() {
    let world = start(small());
    // A pager that says that it was there, and shows all.
    let mut session = session_with_pager(&world, "sh -c 'echo paged; cat; echo read'");
    typed(&mut session, "SELECT 17 AS Number;", "     17");
    session.send_line(TALL).unwrap();
    let before = session.exp_string("paged").unwrap();
    assert!(!before.contains("-----"), "{before}");
    session.exp_string("read").unwrap();
    session.exp_string(READY).unwrap();
    typed(&mut session, "\\pager off", "large results are printed");
    session.send_line(TALL).unwrap();
    let printed = session.exp_string(READY).unwrap();
    assert!(!printed.contains("paged"), "{printed}");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn a_pager_that_is_left_or_interrupted_leaves_the_session() {
    let world = start(small());
    // One that reads nothing and ends at the word `q`, as a user would leave it. It ignores Ctrl-C, as `less` does.
    let pager = "sh -c 'trap : INT; echo paged; until read word < /dev/tty; do :; done; echo left'";
    let mut session = session_with_pager(&world, pager);
    session.send_line(TALL).unwrap();
    session.exp_string("paged").unwrap();
    session.send_control('c').unwrap();
    session.send_control('c').unwrap();
    session.send_line("q").unwrap();
    session.exp_string("left").unwrap();
    session.exp_string(READY).unwrap();
    typed(&mut session, "SELECT 17 AS Number;", "     17");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn a_session_that_is_terminated_leaves_the_terminal_as_it_was() {
    use nix::sys::termios::{LocalFlags, tcgetattr};
    use rexpect::process::Signal;

    let world = start(small());
    let mut session = session(&world);
    let terminal = session.process().get_file_handle().unwrap();
    let is_cooked = || {
        let modes = tcgetattr(&terminal).unwrap();
        modes.local_flags.contains(LocalFlags::ICANON)
    };
    assert!(!is_cooked());
    session.process_mut().signal(Signal::SIGTERM).unwrap();
    session.exp_eof().unwrap();
    assert!(is_cooked());
}

#[test]
fn a_statement_goes_on_behind_a_prompt_that_says_so() {
    let world = start(small());
    let mut session = session(&world);
    let goes_on = |session: &mut PtySession, line: &str, prompt: &str| {
        session.send_line(line).unwrap();
        session.exp_string(prompt).unwrap();
    };
    goes_on(&mut session, "SELECT 17 AS", "   -> ");
    goes_on(&mut session, "Number, '", "   '> ");
    typed(&mut session, "' AS Text;", "     17 | \\n");
    // Ctrl-C forgets what was begun.
    goes_on(&mut session, "SELECT (", "   -> ");
    session.send_control('c').unwrap();
    session.exp_string(READY).unwrap();
    typed(&mut session, "SELECT 18 AS Number;", "     18");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn statements_are_run_again_edited_and_watched() {
    let world = start(small());
    let editor = "sed -i -e s/17/18/";
    let mut session = session_with(&world, &[("EDITOR", editor)]);
    typed(&mut session, "\\g", "there is no statement yet");
    typed(&mut session, "SELECT 17 AS Number \\g", "     17");
    typed(&mut session, "\\gx", " Number | 17");
    typed(&mut session, "\\watch 0.01 c=2", "every 0.0 s");
    typed(&mut session, "\\p", "SELECT 17 AS Number");
    // What is not whole after it was edited waits for more.
    session.send_line("\\e").unwrap();
    session.exp_string("SELECT 18 AS Number").unwrap();
    typed(&mut session, " + 1 AS Next;", "error[BL");
    typed(&mut session, "SELECT 17 AS Number;", "     17");
    typed(&mut session, "\\e", "     18");
    session.send_line("SELECT 17 AS Number \\watch 60").unwrap();
    session.exp_string("     17").unwrap();
    session.send_control('c').unwrap();
    session.exp_string(READY).unwrap();
    typed(&mut session, "SELECT 19 AS Number;", "     19");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn results_go_into_a_file_and_back_to_the_screen() {
    let world = start(small());
    let file = world.folder().join("rows.txt");
    let text = || std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "before").unwrap();
    let mut session = session(&world);
    typed(&mut session, "\\o rows.txt", "results go to rows.txt");
    typed(&mut session, "SELECT 17 AS Number;", "1 row");
    assert!(text().contains("     17\n"), "{}", text());
    typed(&mut session, "\\o", "printed here");
    typed(&mut session, "SELECT 18 AS Number;", "     18");
    typed(&mut session, "SELECT 19 AS Number \\g rows.txt", "1 row");
    assert!(
        text().contains("     19\n") && !text().contains("17"),
        "{}",
        text()
    );
    typed(&mut session, "SELECT 20 AS Number;", "     20");
    typed(&mut session, "\\o | sed s/^/piped:/", "results go to | sed");
    session.send_line("SELECT 21 AS Number;").unwrap();
    session.exp_string("piped:     21").unwrap();
    typed(&mut session, "\\o", "printed here");
    typed(
        &mut session,
        "\\o nowhere/rows.txt",
        "nowhere/rows.txt: No such file",
    );
    typed(&mut session, "SELECT 22 AS Number;", "     22");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn variables_and_parameters_have_their_values() {
    let world = start(small());
    let mut session = session(&world);
    session.send_line("\\set x 17").unwrap();
    session.exp_string(READY).unwrap();
    typed(
        &mut session,
        "SELECT :x AS Number, :'x' AS Text;",
        "     17 | 17",
    );
    typed(&mut session, "SET @y = 'it''s';", "@y is set");
    typed(&mut session, "SELECT @y AS Text;", " it's");
    typed(&mut session, "\\set", "x = '17'");
    session.send_line("\\unset x").unwrap();
    session.exp_string(READY).unwrap();
    typed(&mut session, "SELECT :x;", "error[BL");
    typed(
        &mut session,
        "\\pset null (none)",
        "NULL is shown as `(none)`",
    );
    typed(&mut session, "SELECT NULL AS Nothing;", " (none)");
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn tables_are_those_of_the_current_connection() {
    let world = start(small());
    let mut session = session(&world);
    session.send_line("\\d").unwrap();
    let listed = session.exp_string(READY).unwrap();
    assert_eq!(
        listed.matches("PullRequestReviewers").count(),
        1,
        "{listed}"
    );
    session.send_line("\\dt *Reviewers").unwrap();
    let listed = session.exp_string(READY).unwrap();
    assert!(listed.contains("ProjectDefaultReviewers"), "{listed}");
    assert!(!listed.contains("Issues"), "{listed}");
    session.send_line("\\d Project?").unwrap();
    let described = session.exp_string(READY).unwrap();
    assert!(described.contains("UUID in braces"), "{described}");
    assert!(!described.contains("2/"), "{described}");
    session.send_line("\\d Project*").unwrap();
    let described = session.exp_string(READY).unwrap();
    assert!(
        described.contains("DESCRIBE ProjectDefaultReviewers"),
        "{described}"
    );
    typed(&mut session, "\\d+ Projects", "SHOW TABLES");
    typed(
        &mut session,
        "\\d nothing*",
        "no table is named like nothing*",
    );
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn files_and_names_in_brackets_are_completed() {
    let world = start(small());
    std::fs::write(
        world.folder().join("nightly job.sql"),
        "SELECT 17 AS Number;",
    )
    .unwrap();
    let mut session = session(&world);
    session.send("\\i nigh\t").unwrap();
    session.flush().unwrap();
    session.exp_string("nightly job.sql").unwrap();
    typed(&mut session, "", "     17");
    session.send("SELECT Key FROM [ProjectDef\t").unwrap();
    session.flush().unwrap();
    session.exp_string("[ProjectDefaultReviewers]").unwrap();
    session.send_control('c').unwrap();
    session.exp_string(READY).unwrap();
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}
