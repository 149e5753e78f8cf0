//! How numbers, texts and lists look.

use super::{Fault, FromJson, Text, ToJson, Tree};
use crate::time::{Millis, Span};

impl FromJson for bool {
    fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
        if let Tree::Bool(value) = tree {
            return *value;
        }
        tree.is_not("true or false", fault);
        false
    }
}

impl ToJson for bool {
    fn to_json(&self, text: &mut Text) {
        text.raw(if *self { "true" } else { "false" });
    }
}

impl FromJson for u64 {
    fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
        if let Tree::Number(value) = tree {
            return *value;
        }
        tree.is_not("a whole number", fault);
        0
    }
}

impl ToJson for u64 {
    fn to_json(&self, text: &mut Text) {
        text.number(*self);
    }
}

macro_rules! smaller_number {
    ($type:ty) => {
        impl FromJson for $type {
            fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
                let number = u64::from_json(tree, fault);
                number.try_into().unwrap_or_else(|_| {
                    fault.note(format!("expected at most {}, found {number}", Self::MAX));
                    0
                })
            }
        }

        impl ToJson for $type {
            fn to_json(&self, text: &mut Text) {
                text.number((*self).into());
            }
        }
    };
}

smaller_number!(u32);
smaller_number!(u16);

impl ToJson for usize {
    fn to_json(&self, text: &mut Text) {
        text.number(*self as u64);
    }
}

macro_rules! number_of_milliseconds {
    ($type:ident) => {
        impl FromJson for $type {
            fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
                Self(u64::from_json(tree, fault))
            }
        }

        impl ToJson for $type {
            fn to_json(&self, text: &mut Text) {
                text.number(self.0);
            }
        }
    };
}

number_of_milliseconds!(Millis);
number_of_milliseconds!(Span);

impl FromJson for String {
    fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
        if let Tree::Text(value) = tree {
            return value.clone().into_owned();
        }
        tree.is_not("a text", fault);
        Self::new()
    }
}

impl ToJson for String {
    fn to_json(&self, text: &mut Text) {
        text.string(self);
    }
}

impl ToJson for &str {
    fn to_json(&self, text: &mut Text) {
        text.string(self);
    }
}

/// `null`, and what is not there, is `None`.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
        match tree {
            Tree::Null => None,
            _ => Some(T::from_json(tree, fault)),
        }
    }

    fn absent(_: &mut Fault) -> Self {
        None
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, text: &mut Text) {
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
    fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
        if let Tree::List(list) = tree {
            return list.iter().map(|tree| T::from_json(tree, fault)).collect();
        }
        tree.is_not("a list", fault);
        Self::new()
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self, text: &mut Text) {
        text.list(self);
    }
}

/// A list of two.
impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(tree: &Tree<'_>, fault: &mut Fault) -> Self {
        if let Tree::List(list) = tree
            && let [first, second] = list.as_slice()
        {
            return (A::from_json(first, fault), B::from_json(second, fault));
        }
        tree.is_not("a list of two", fault);
        (A::from_json(&Tree::Null, fault), B::from_json(&Tree::Null, fault))
    }
}

impl<A: ToJson, B: ToJson> ToJson for (A, B) {
    fn to_json(&self, text: &mut Text) {
        text.pair(&self.0, &self.1);
    }
}
