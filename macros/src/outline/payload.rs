//! The types that an author wrote for what an operation gets from outside, gives away or answers.
//!
//! They are put into a constant beside the function, so only what can be named there is taken:
//! everything else counts as not known.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Block, Expr, ExprMethodCall, GenericArgument, Ident, Item, Local, Macro, Pat, Path,
    PathArguments, Type, UseTree,
    visit::{self, Visit},
};

use crate::body::{MacroBody, is_ctx};

/// Operations with a payload. Its type is the first of their type arguments.
const WITH_PAYLOAD: [&str; 8] = [
    "wait_for_signal",
    "wait_for_event",
    "on_update",
    "task",
    "webhook",
    "webhook_with",
    "set_event",
    "emit",
];

/// The types of what these operations are before they are awaited; the payload's comes first.
const BUILDERS: [&str; 6] = [
    "SignalWait",
    "EventWait",
    "OnUpdate",
    "Task",
    "Webhook",
    "WebhookWait",
];

/// What is known of the type of a payload.
pub(super) enum Typed {
    /// There is no such payload.
    Absent,
    /// It has some type.
    Unknown,
    /// It has this type.
    As(Box<Type>),
}

impl Typed {
    fn or(&mut self, ty: Option<Type>) {
        if matches!(self, Self::Unknown)
            && let Some(ty) = ty
        {
            *self = Self::As(Box::new(ty));
        }
    }

    /// An `Option<PayloadSchema>` of the runtime.
    pub(super) fn to_tokens(&self) -> TokenStream {
        let none = quote!(::core::option::Option::None);
        match self {
            Self::Absent => none,
            Self::Unknown => quote!(::core::option::Option::Some(
                ::axum_durable::__private::PayloadSchema::UNKNOWN
            )),
            // By autoref the first trait is preferred, and the second one has every type.
            Self::As(ty) => quote!(::core::option::Option::Some(
                ::axum_durable::__private::PayloadSchema::new(|| {
                    #[allow(unused_imports)]
                    use ::axum_durable::__private::{HasNoSchema as _, HasSchema as _};
                    (&::axum_durable::__private::SchemaOf::<#ty>::NEW).schema()
                })
            )),
        }
    }
}

/// The payload of an operation, and the answer to it.
pub(super) struct Payloads {
    pub(super) payload: Typed,
    pub(super) reply: Typed,
}

impl Payloads {
    /// What is written in the call itself: `ctx.wait_for_signal::<Approval>(..)`.
    pub(super) fn of_call(call: &ExprMethodCall, scope: &Scope<'_>) -> Self {
        let is_asked_for = |name: &[&str]| name.iter().any(|name| call.method == name);
        let typed = |is: bool| if is { Typed::Unknown } else { Typed::Absent };
        let mut payloads = Self {
            payload: typed(is_asked_for(&WITH_PAYLOAD)),
            reply: typed(is_asked_for(&["on_update"])),
        };
        let arguments = call.turbofish.iter().flat_map(|it| &it.args);
        payloads.fill(types(arguments), scope);
        payloads
    }

    /// Adds what a `let` says.
    pub(super) fn add_let(&mut self, written: Written<'_>, scope: &Scope<'_>) {
        if matches!(self.payload, Typed::Absent) {
            return;
        }
        let is_update = !matches!(self.reply, Typed::Absent);
        let ty = match written.reached {
            Reached::Builder => {
                let names: &[&str] = &BUILDERS;
                return self.fill(arguments_of(written.ty, names), scope);
            }
            Reached::Result => arguments_of(written.ty, &["Result"]).into_iter().next(),
            Reached::Value => Some(written.ty),
        };
        let Some(ty) = ty else { return };
        if is_update {
            self.fill(arguments_of(ty, &["Update"]), scope);
        } else {
            self.fill(vec![ty], scope);
        }
    }

    /// Adds what the closure of `.validate(|address: &Address| ..)` says.
    pub(super) fn add_validator(&mut self, call: &ExprMethodCall, scope: &Scope<'_>) {
        let Some(Expr::Closure(closure)) = call.args.first() else {
            return;
        };
        if let Some(Pat::Type(argument)) = closure.inputs.first()
            && let Type::Reference(reference) = &*argument.ty
        {
            self.fill(vec![&reference.elem], scope);
        }
    }

    fn fill(&mut self, types: Vec<&Type>, scope: &Scope<'_>) {
        let mut types = types
            .into_iter()
            .map(|ty| scope.can_name(ty).then(|| ty.clone()));
        self.payload.or(types.next().flatten());
        self.reply.or(types.next().flatten());
    }
}

/// The type arguments of a path whose last part has one of these names.
fn arguments_of<'t>(ty: &'t Type, names: &[&str]) -> Vec<&'t Type> {
    let Type::Path(ty) = ty else {
        return Vec::new();
    };
    let last = ty.path.segments.last();
    let last = last.filter(|last| names.iter().any(|name| last.ident == name));
    match last.map(|last| &last.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => types(&arguments.args),
        _ => Vec::new(),
    }
}

fn types<'t>(arguments: impl IntoIterator<Item = &'t GenericArgument>) -> Vec<&'t Type> {
    let types = arguments.into_iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// How far a `let` follows an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// It is not awaited.
    Builder,
    /// It is awaited: a `Result`.
    Result,
    /// It is awaited, and its failure is passed on.
    Value,
}

/// The type of a `let` whose value is an operation's.
#[derive(Clone, Copy)]
pub(super) struct Written<'t> {
    ty: &'t Type,
    reached: Reached,
}

impl<'t> Written<'t> {
    /// What a `let` says of the operation that its value comes from.
    pub(super) fn read(local: &'t Local, ctx: &Ident) -> Option<Self> {
        let Pat::Type(pattern) = &local.pat else {
            return None;
        };
        let reached = reach(&local.init.as_ref()?.expr, ctx)?;
        Some(Self {
            ty: &pattern.ty,
            reached,
        })
    }
}

fn reach(expr: &Expr, ctx: &Ident) -> Option<Reached> {
    let follow = |inner: &Expr, before, after| (reach(inner, ctx)? == before).then_some(after);
    match expr {
        Expr::Paren(inner) => reach(&inner.expr, ctx),
        Expr::Group(inner) => reach(&inner.expr, ctx),
        Expr::Try(tried) => follow(&tried.expr, Reached::Result, Reached::Value),
        Expr::Await(awaited) => follow(&awaited.base, Reached::Builder, Reached::Result),
        Expr::MethodCall(call) if is_ctx(&call.receiver, ctx) => Some(Reached::Builder),
        Expr::MethodCall(call) => follow(&call.receiver, Reached::Builder, Reached::Builder),
        _ => None,
    }
}

/// Whether an expression is an operation that is still being set up.
pub(super) fn is_builder(expr: &Expr, ctx: &Ident) -> bool {
    reach(expr, ctx) == Some(Reached::Builder)
}

/// What a constant beside the function can name of what is named in its body.
pub(super) struct Scope<'a> {
    pub(super) ctx: &'a Ident,
    /// Names that the body declares for itself.
    local: HashSet<String>,
    /// Anything may be declared there, or left out of the build.
    is_open: bool,
}

impl<'a> Scope<'a> {
    pub(super) fn of(body: &Block, ctx: &'a Ident) -> Self {
        let mut scope = Self {
            ctx,
            local: HashSet::new(),
            is_open: false,
        };
        scope.visit_block(body);
        scope
    }

    fn can_name(&self, ty: &Type) -> bool {
        !self.is_open && self.knows_all(ty.to_token_stream())
    }

    fn knows_all(&self, tokens: TokenStream) -> bool {
        tokens.into_iter().all(|token| match token {
            TokenTree::Ident(ident) => {
                let ident = ident.to_string();
                !matches!(&*ident, "_" | "impl" | "Self") && !self.local.contains(&ident)
            }
            // `'` of a lifetime, which may be the function's, and `!` of a macro.
            TokenTree::Punct(punct) => !matches!(punct.as_char(), '\'' | '!'),
            TokenTree::Group(group) => self.knows_all(group.stream()),
            TokenTree::Literal(_) => true,
        })
    }

    fn add(&mut self, name: &Ident) {
        self.local.insert(name.to_string());
    }

    fn add_use(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.add_use(&path.tree),
            UseTree::Name(name) => self.add(&name.ident),
            UseTree::Rename(rename) => self.add(&rename.rename),
            UseTree::Glob(_) => self.is_open = true,
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Scope<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Const(item) => self.add(&item.ident),
            Item::Enum(item) => self.add(&item.ident),
            Item::Mod(item) => self.add(&item.ident),
            Item::Struct(item) => self.add(&item.ident),
            Item::Trait(item) => self.add(&item.ident),
            Item::Type(item) => self.add(&item.ident),
            Item::Union(item) => self.add(&item.ident),
            Item::Use(item) => self.add_use(&item.tree),
            Item::Macro(_) => self.is_open = true,
            _ => {}
        }
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        if let Some(body) = MacroBody::read(mac) {
            body.visit(self);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // What it leaves out of the build may name what is not there.
        let is = |path: &Path| path.is_ident("cfg") || path.is_ident("cfg_attr");
        self.is_open |= is(attribute.path());
        visit::visit_attribute(self, attribute);
    }
}
