//! Where we are in a resource, shown as a FHIRPath only when somebody must be told.

use std::fmt;

use crate::tables::Field;

#[derive(Debug)]
pub(crate) struct Path {
    root: &'static str,
    steps: Vec<(&'static Field, Option<usize>)>,
}

impl Path {
    pub(crate) const fn new(root: &'static str) -> Self {
        Self { root, steps: Vec::new() }
    }

    pub(crate) fn push(&mut self, field: &'static Field, index: Option<usize>) {
        self.steps.push((field, index));
    }

    pub(crate) fn pop(&mut self) {
        self.steps.pop();
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root)?;
        for (field, index) in &self.steps {
            write!(f, ".{}", field.element)?;
            if let Some(index) = index {
                write!(f, "[{index}]")?;
            }
            if let Some(kind) = field.choice {
                write!(f, ".ofType({kind})")?;
            }
        }
        Ok(())
    }
}
