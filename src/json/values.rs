//! How numbers, texts and lists look.

use super::{Complaint, FromJson, ToJson, Tree, Writer};
use crate::time::{Millis, Span};

impl FromJson for bool {
    fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
        if let Tree::Bool(value) = tree {
            return *value;
        }
        tree.is_not("true or false", complaint);
        false
    }
}

impl ToJson for bool {
    fn to_json(&self, text: &mut Writer) {
        text.raw(if *self { "true" } else { "false" });
    }
}

impl FromJson for u64 {
    fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
        if let Tree::Number(value) = tree {
            return *value;
        }
        tree.is_not("a whole number", complaint);
        0
    }
}

impl ToJson for u64 {
    fn to_json(&self, text: &mut Writer) {
        text.number(*self);
    }
}

macro_rules! smaller_number {
    ($type:ty) => {
        impl FromJson for $type {
            fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
                let number = u64::from_json(tree, complaint);
                number.try_into().unwrap_or_else(|_| {
                    complaint.note(&["expected at most ", &Self::MAX.to_string(), ", found ", &number.to_string()]);
                    0
                })
            }
        }

        impl ToJson for $type {
            fn to_json(&self, text: &mut Writer) {
                text.number((*self).into());
            }
        }
    };
}

smaller_number!(u32);
smaller_number!(u16);

impl ToJson for usize {
    fn to_json(&self, text: &mut Writer) {
        text.number(*self as u64);
    }
}

macro_rules! number_of_milliseconds {
    ($type:ident) => {
        impl FromJson for $type {
            fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
                Self(u64::from_json(tree, complaint))
            }
        }

        impl ToJson for $type {
            fn to_json(&self, text: &mut Writer) {
                text.number(self.0);
            }
        }
    };
}

number_of_milliseconds!(Millis);
number_of_milliseconds!(Span);

impl FromJson for String {
    fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
        if let Tree::Text(value) = tree {
            return value.clone().into_owned();
        }
        tree.is_not("a text", complaint);
        Self::new()
    }
}

impl ToJson for String {
    fn to_json(&self, text: &mut Writer) {
        text.string(self);
    }
}

impl ToJson for &str {
    fn to_json(&self, text: &mut Writer) {
        text.string(self);
    }
}

/// `null`, and what is not there, is `None`.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
        match tree {
            Tree::Null => None,
            _ => Some(T::from_json(tree, complaint)),
        }
    }

    fn absent(_: &mut Complaint) -> Self {
        None
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, text: &mut Writer) {
        match self {
            Some(value) => value.to_json(text),
            None => text.raw("null"),
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
        if let Tree::List(list) = tree {
            let mut items = Self::with_capacity(list.len());
            for tree in list {
                // Nobody sees the list then.
                if complaint.is_known() {
                    break;
                }
                items.push(T::from_json(tree, complaint));
            }
            return items;
        }
        tree.is_not("a list", complaint);
        Self::new()
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self, text: &mut Writer) {
        text.list(self);
    }
}

/// A list of two.
impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(tree: &Tree<'_>, complaint: &mut Complaint) -> Self {
        if let Tree::List(list) = tree
            && let [first, second] = list.as_slice()
        {
            return (A::from_json(first, complaint), B::from_json(second, complaint));
        }
        tree.is_not("a list of two", complaint);
        (A::from_json(&Tree::Null, complaint), B::from_json(&Tree::Null, complaint))
    }
}

impl<A: ToJson, B: ToJson> ToJson for (A, B) {
    fn to_json(&self, text: &mut Writer) {
        text.pair(&self.0, &self.1);
    }
}
