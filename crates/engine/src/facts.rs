//! What the system tables say of a connection beside its tables.

/// What whoever made a connection knows of it: its properties, the procedures that can be called for it, and what
/// was last written to it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What it can be given, and what it was.
    pub properties: Vec<PropertyFact>,
    /// What EXEC can call.
    pub procedures: Vec<ProcedureFact>,
    /// The outcome of the last statement that wrote to it.
    pub written: Option<Written>,
}

/// A property of a connection.
#[derive(Debug, Clone)]
pub struct PropertyFact {
    /// Its canonical name.
    pub name: String,
    /// A line about it.
    pub doc: String,
    /// Its value as it was given; a secret's mask.
    pub value: Option<String>,
    /// Its value is a secret or refers to one.
    pub is_secret: bool,
}

/// A procedure.
#[derive(Debug, Clone)]
pub struct ProcedureFact {
    /// Its name.
    pub name: String,
    /// A line about it.
    pub doc: String,
    /// Its inputs, then the columns of its result.
    pub parameters: Vec<ParameterFact>,
}

/// An input of a procedure, or a column of its result.
#[derive(Debug, Clone)]
pub struct ParameterFact {
    /// Its name.
    pub name: String,
    /// A line about it.
    pub doc: String,
    /// It is a column of the result.
    pub is_output: bool,
    /// It is a whole number; a text otherwise.
    pub is_number: bool,
    /// The procedure refuses a call without it.
    pub is_required: bool,
    /// What it may be, if that is a few words.
    pub values: Vec<String>,
}

/// What a statement has written.
#[derive(Debug, Clone)]
pub struct Written {
    /// How many statements have written before it in the session, and it.
    pub number: u64,
    /// The statement's first word.
    pub operation: String,
    /// What it did.
    pub message: String,
}
