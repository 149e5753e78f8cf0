//! How types of ours look as JSON, each said once.

/// A struct as an object: its fields, `as` what they are called where that is something else, `=` what they are where they are
/// left out. An `Option` that is `None` is left out.
macro_rules! record {
    ($type:ident { $($field:ident $(as $name:literal)? $(= $default:expr)?),* $(,)? }) => {
        impl $crate::json::FromJson for $type {
            fn from_json(tree: &$crate::json::Tree<'_>, complaint: &mut $crate::json::Complaint) -> Self {
                let object = tree.object(complaint);
                Self { $($field: field!(object, complaint, called!($field $(as $name)?) $(, $default)?)),* }
            }
        }

        written! { $type { $($field $(as $name)?),* } }
    };
}

/// Likewise, of which every field may be left out, and then is what the default has; and which has no others.
macro_rules! options {
    ($type:ident { $($field:ident as $name:literal),* $(,)? }) => {
        impl $crate::json::FromJson for $type {
            fn from_json(tree: &$crate::json::Tree<'_>, complaint: &mut $crate::json::Complaint) -> Self {
                let object = tree.object(complaint);
                object.only(&[$($name),*], complaint);
                let default = Self::default();
                Self { $($field: object.field_or($name, default.$field, complaint)),* }
            }
        }
    };
}

/// A struct that is only written.
macro_rules! written {
    ($type:ident { $($field:ident $(as $name:literal)?),* $(,)? }) => {
        impl $crate::json::ToJson for $type {
            fn to_json(&self, text: &mut $crate::json::Writer) {
                text.open();
                $(text.field(called!($field $(as $name)?), &self.$field);)*
                text.close();
            }
        }
    };
}

/// A struct whose fields stand in an object that somebody else begins.
macro_rules! written_fields {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::json::ToFields for $type {
            fn to_fields(&self, text: &mut $crate::json::Writer) {
                $(text.field(stringify!($field), &self.$field);)*
            }
        }
    };
}

/// An enum that is only written: an object in which the field `by` says which variant it is, beside the variant's own fields, or
/// those of what it holds. What is named after `without` does not cross.
macro_rules! tagged {
    ($type:ident by $tag:literal {
        $($variant:ident as $name:literal $({ $($field:ident),* $(,)? $(; without $left:ident)? })? $(($content:ident))?),* $(,)?
    }) => {
        impl $crate::json::ToFields for $type {
            fn to_fields(&self, text: &mut $crate::json::Writer) {
                match self {
                    $(Self::$variant $({ $($field,)* $($left: _)? })? $(($content))? => {
                        text.field($tag, &$name);
                        $($(text.field(stringify!($field), $field);)*)?
                        $($crate::json::ToFields::to_fields($content, text);)?
                    })*
                }
            }
        }

        impl $crate::json::ToJson for $type {
            fn to_json(&self, text: &mut $crate::json::Writer) {
                text.open();
                $crate::json::ToFields::to_fields(self, text);
                text.close();
            }
        }
    };
}

/// An enum as words: those named here, or those of its `as_str`.
macro_rules! words {
    ($type:ident by as_str { $($variant:ident),* $(,)? }) => {
        impl $crate::json::FromJson for $type {
            fn from_json(tree: &$crate::json::Tree<'_>, complaint: &mut $crate::json::Complaint) -> Self {
                let word = tree.word(complaint);
                let all = [$(Self::$variant),*];
                all.into_iter().find(|variant| variant.as_str() == word).unwrap_or_else(|| {
                    $crate::json::unknown(word, &all.map(Self::as_str), complaint);
                    let [any, ..] = all;
                    any
                })
            }
        }

        impl $crate::json::ToJson for $type {
            fn to_json(&self, text: &mut $crate::json::Writer) {
                text.string(self.as_str());
            }
        }
    };
    ($type:ident { $($variant:ident as $name:literal),* $(,)? }) => {
        impl $crate::json::FromJson for $type {
            fn from_json(tree: &$crate::json::Tree<'_>, complaint: &mut $crate::json::Complaint) -> Self {
                match tree.word(complaint) {
                    $($name => Self::$variant,)*
                    other => $crate::json::any_of(other, &[$($name),*], complaint),
                }
            }
        }

        impl $crate::json::ToJson for $type {
            fn to_json(&self, text: &mut $crate::json::Writer) {
                text.string(match self {
                    $(Self::$variant => $name,)*
                });
            }
        }
    };
}

/// An enum that is only read: a word for a variant without fields, else an object whose one field says which variant it is.
macro_rules! read_variants {
    ($type:ident {
        $($variant:ident as $name:literal $({ $($field:ident $(= $default:expr)?),* $(,)? })? $(($content:ident))?),* $(,)?
    }) => {
        impl $crate::json::FromJson for $type {
            fn from_json(tree: &$crate::json::Tree<'_>, complaint: &mut $crate::json::Complaint) -> Self {
                let (name, content) = tree.variant(complaint);
                let was_known = complaint.is_known();
                let value = match name {
                    $($name => variant!(content, complaint, $variant $({ $($field $(= $default)?),* })? $(($content))?),)*
                    _ => return $crate::json::any_of(name, &[$($name),*], complaint),
                };
                complaint.is_within(name, was_known);
                value
            }
        }
    };
}

/// Likewise, one that is written too, and whose variants all have fields.
macro_rules! variants {
    ($type:ident { $($variant:ident as $name:literal { $($field:ident),* $(,)? }),* $(,)? }) => {
        read_variants! { $type { $($variant as $name { $($field),* }),* } }

        impl $crate::json::ToJson for $type {
            fn to_json(&self, text: &mut $crate::json::Writer) {
                match self {
                    $(Self::$variant { $($field),* } => {
                        text.open_variant($name);
                        text.open();
                        $(text.field(stringify!($field), $field);)*
                        text.close();
                    })*
                }
                text.close();
            }
        }
    };
}

macro_rules! called {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident as $name:literal) => {
        $name
    };
}

macro_rules! field {
    ($object:ident, $complaint:ident, $name:expr) => {
        $object.field($name, $complaint)
    };
    ($object:ident, $complaint:ident, $name:expr, $default:expr) => {
        $object.field_or($name, $default, $complaint)
    };
}

macro_rules! variant {
    ($tree:ident, $complaint:ident, $variant:ident) => {{
        if !matches!($tree, $crate::json::Tree::Null) {
            $tree.is_not("nothing beside the word", $complaint);
        }
        Self::$variant
    }};
    ($tree:ident, $complaint:ident, $variant:ident { $($field:ident $(= $default:expr)?),* }) => {{
        let object = $tree.object($complaint);
        Self::$variant { $($field: field!(object, $complaint, stringify!($field) $(, $default)?)),* }
    }};
    ($tree:ident, $complaint:ident, $variant:ident ($content:ident)) => {
        Self::$variant(<$content as $crate::json::FromJson>::from_json($tree, $complaint))
    };
}
